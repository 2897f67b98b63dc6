"""When a service was over its budget: episodes, how long, how far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from memanalysis.analysis.budgets.budget_metric import read_budget_series
from memanalysis.analysis.input_frames import require_columns, with_elapsed
from memanalysis.analysis.run_groups import group_runs

__all__ = ["BREACH_COLUMNS", "Budget", "Level", "find_breaches"]

BREACH_COLUMNS = (
    "service",
    "run_id",
    "metric",
    "level",
    "first",
    "last",
    "duration_s",
    "worst_bytes",
    "budget_bytes",
    "headroom_bytes",
)
"""Columns of the frame that ``find_breaches`` gives."""

Level = Literal["ok", "warning", "critical"]
"""How far a budget is used up; an episode begins at ``warning``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a service may use: warned from ``warning_bytes`` on, critical from ``critical_bytes`` on.

    ``metric`` is a word of ``BUDGET_METRICS``: which memory counts.
    """

    max_bytes: float
    warning_bytes: float
    critical_bytes: float
    metric: str = "auto"


def find_breaches(samples: pd.DataFrame, budgets: Mapping[str, Budget]) -> pd.DataFrame:
    """Find the stretches in which a service was at its warning level or worse.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    budgets : mapping
        From service to its budget; a service without one has no breaches.

    Returns
    -------
    DataFrame
        ``BREACH_COLUMNS``, in the order of time; ``level`` is the worst of the episode, ``headroom_bytes`` what was
        left of the budget then (negative: over it), ``duration_s`` reaches to the first sample that was well again.
    """
    require_columns("find_breaches", samples, ("service", "run_id", "timestamp"))
    rows: list[dict[str, Any]] = []
    samples, runs, counts = group_runs(samples)
    stops = np.cumsum(counts)
    for (service, run_id), start, stop in zip(runs.itertuples(index=False), stops - counts, stops, strict=True):
        if service in budgets:
            run = samples.iloc[start:stop]
            rows.extend({"service": service, "run_id": run_id, **row} for row in _episodes(run, budgets[str(service)]))
    return pd.DataFrame(rows, columns=list(BREACH_COLUMNS))


def _episodes(run: pd.DataFrame, budget: Budget) -> list[dict[str, Any]]:
    values, metrics = read_budget_series(run, budget.metric)
    elapsed_s, timestamps = with_elapsed(run), run["timestamp"]
    known = np.isfinite(values)
    if not known.all():
        values, metrics, elapsed_s, timestamps = values[known], metrics[known], elapsed_s[known], timestamps[known]
    over = np.concatenate(([False], values >= budget.warning_bytes, [False]))
    starts, stops = np.flatnonzero(~over[:-1] & over[1:]), np.flatnonzero(over[:-1] & ~over[1:])
    spans = [slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]
    return [
        {
            "metric": str(metrics[span][values[span].argmax()]),
            "level": "critical" if values[span].max() >= budget.critical_bytes else "warning",
            "first": timestamps.iloc[span.start],
            "last": timestamps.iloc[span.stop - 1],
            "duration_s": float(elapsed_s[min(span.stop, values.size - 1)] - elapsed_s[span.start]),
            "worst_bytes": float(values[span].max()),
            "budget_bytes": float(budget.max_bytes),
            "headroom_bytes": float(budget.max_bytes - values[span].max()),
        }
        for span in spans
    ]
