"""Which runs are recorded still at the end of a ledger, as far as their samples show."""

import pandas as pd

from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds

__all__ = ["are_recorded_still"]


def are_recorded_still(
    runs: pd.DataFrame, *, until: pd.Timestamp, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> "pd.Series[bool]":
    """Return which runs have samples up to the end, but for a few that may be late.

    Parameters
    ----------
    runs : DataFrame
        ``first``, ``last`` and ``count`` of the samples of each run.
    until : Timestamp
        The last sample of the ledger.
    thresholds : Thresholds, optional
        The numbers to judge by.
    """
    rule = thresholds.history
    step_s = (runs["last"] - runs["first"]).dt.total_seconds() / (runs["count"] - 1).clip(lower=1)
    patience_s = (rule.still_recorded_steps * step_s).clip(lower=rule.still_recorded_s)
    behind_s = (until - runs["last"]).dt.total_seconds()
    is_still: pd.Series[bool] = behind_s <= patience_s
    return is_still
