"""Which memory a budget is held against: resident memory, or that of the family or the container where it is known."""

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.input_frames import known_floats
from memanalysis.schema import BUDGET_METRICS, BYTE_METRICS

__all__ = ["primary_metric", "read_budget_series"]


def primary_metric(samples: pd.DataFrame) -> str:
    """Name of the first of ``BYTE_METRICS`` that is known in these samples; of the last when none is."""
    for metric in BYTE_METRICS:
        if np.isfinite(known_floats(samples, metric)).any():
            return metric
    return BYTE_METRICS[-1]


def read_budget_series(run: pd.DataFrame, metric: str) -> tuple[FloatArray, "pd.Categorical[str]"]:
    """Return the bytes that count against a budget at each sample, and their column.

    Parameters
    ----------
    run : DataFrame
        Rows of the table ``samples`` of one run, in the order of time.
    metric : str
        A word of ``BUDGET_METRICS``.

    Returns
    -------
    values : array of float, shape (n,)
        NaN where nothing is known.
    columns : Categorical of str, shape (n,)
        As while the run was watched: of the columns the first one that was known by then, with its last reading.
    """
    wanted = BUDGET_METRICS[metric]
    base = primary_metric(run) if set(BYTE_METRICS) <= set(wanted) else None
    values = np.full(len(run), np.nan) if base is None else known_floats(run, base)
    others = [name for name in wanted if name not in BYTE_METRICS and name in run]
    names = list(dict.fromkeys((base or wanted[-1], *others)))
    codes = np.zeros(len(run), dtype=np.int8)
    for column in reversed(others):
        last = pd.Series(known_floats(run, column)).ffill().to_numpy()
        is_known = np.isfinite(last)
        values, codes = np.where(is_known, last, values), np.where(is_known, np.int8(names.index(column)), codes)
    return values, pd.Categorical.from_codes(codes, categories=pd.Index(names))
