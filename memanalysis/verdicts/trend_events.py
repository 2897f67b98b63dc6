"""What happened in the last weeks of a ledger: the marks of its programs, and the runs that did not end in order."""

from collections.abc import Collection, Mapping

import pandas as pd

from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.verdicts.run_ends import RunEnd

__all__ = ["DEATH_COLUMNS", "MARK_COLUMNS", "list_deaths", "read_marks"]

MARK_COLUMNS = ("service", "timestamp", "message")
"""A row a mark, where its service has it first in these weeks: restarts set the same one again."""

DEATH_COLUMNS = ("service", "run_id", "last", "release", "cause")
"""A row a run that did not end in order: its last sample, and why it ended, as `memanalysis.verdicts.run_ends.Cause`
names it."""


def read_marks(ledger: Ledger, *, since: pd.Timestamp, services: Collection[str]) -> pd.DataFrame:
    """Return ``MARK_COLUMNS`` of some services, in the order of time."""
    events = ledger.read(
        "events", columns=["service", "timestamp", "kind", "message"], services=list(services), since=since
    )
    is_mark = events["kind"].eq("mark").fillna(value=False).astype(bool)
    marks = events[is_mark & events["timestamp"].notna() & events["message"].notna()].sort_values("timestamp")
    return marks.drop_duplicates(["service", "message"])[list(MARK_COLUMNS)].reset_index(drop=True)


def list_deaths(runs: pd.DataFrame, ends: Mapping[tuple[str, str], RunEnd]) -> pd.DataFrame:
    """Return ``DEATH_COLUMNS``, the latest first.

    Parameters
    ----------
    runs : DataFrame
        ``service``, ``run_id``, ``last``, ``release`` and ``is_death`` of each run.
    ends : mapping
        As `read_run_ends` gives them.
    """
    died = runs[runs["is_death"].astype(bool)].sort_values("last", ascending=False, kind="stable")
    keys = zip(died["service"], died["run_id"], strict=True)
    return died.assign(cause=[str(ends[key].cause) for key in keys])[list(DEATH_COLUMNS)].reset_index(drop=True)
