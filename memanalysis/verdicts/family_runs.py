"""Which runs is a verdict about? Its own, or of a family its master's, or its members' where no master was recorded."""

from collections import defaultdict

import pandas as pd

__all__ = ["list_runs"]


def list_runs(verdicts: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """Return service and run_id of the runs that each verdict is about.

    Parameters
    ----------
    verdicts : DataFrame
        As `assess` gives them, with the verdicts on the members of each family.
    """
    members: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    masters: set[tuple[str, str]] = set()
    is_family = verdicts["role"].eq("family").fillna(value=False).astype(bool)
    rows = verdicts.loc[~is_family & verdicts["family_id"].notna(), ["service", "run_id", "family_id", "role"]]
    for service, run_id, family_id, role in rows.itertuples(index=False, name=None):
        members[service, family_id].append((service, run_id))
        if role == "master":
            masters.add((service, family_id))
    found = []
    cells = verdicts[["service", "run_id", "family_id"]].itertuples(index=False, name=None)
    for (service, run_id, family_id), is_sum in zip(cells, is_family, strict=True):
        family = (service, family_id)
        if not is_sum:
            found.append([(service, run_id)])
        else:
            found.append([family] if family in masters or family not in members else members[family])
    return found
