"""A verdict on a family is about the run of its master, or about those of its members where none was recorded."""

import pandas as pd
import pytest

from memanalysis.verdicts.family_runs import list_runs


def make_verdicts(*rows: tuple[str, str | None, str | None]) -> pd.DataFrame:
    """Verdicts on runs of one service: ``run_id``, ``role`` and ``family_id``."""
    return pd.DataFrame(rows, columns=["run_id", "role", "family_id"]).assign(service="api")


@pytest.mark.parametrize(("first_role", "runs"), [("master", [("api", "a")]), ("worker", [("api", "a"), ("api", "b")])])
def test_a_family_is_its_master_or_else_its_members(first_role: str, runs: list[tuple[str, str]]) -> None:
    name = "a" if first_role == "master" else "7-1750000000"
    verdicts = make_verdicts(("a", first_role, name), ("b", "worker", name), ("family", "family", name))

    assert list_runs(verdicts) == [[("api", "a")], [("api", "b")], runs]


def test_a_run_of_no_family_is_itself_and_families_of_two_services_are_two() -> None:
    verdicts = pd.concat(
        [
            make_verdicts(("a", None, None), ("b", "worker", "7-1"), ("family", "family", "7-1")),
            make_verdicts(("c", "worker", "7-1"), ("family", "family", "7-1")).assign(service="jobs"),
        ]
    )

    assert list_runs(verdicts) == [[("api", "a")], [("api", "b")], [("api", "b")], [("jobs", "c")], [("jobs", "c")]]
