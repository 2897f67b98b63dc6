"""Where growth of RSS comes from: Python objects, native code, memory that the allocator holds free, or unknown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.frames import known_floats
from memanalysis.analysis.series import FloatArray, IntArray, prepare_batch
from memanalysis.analysis.shape import classify_shapes

__all__ = ["classify_origins"]

LEAST_SHARE = 0.4
"""A part that explains at least this share of the growth of RSS names its origin."""


LEAST_SHARE_OF_A_LEAK = 0.1
"""The same where traced bytes are a leak of their own: allocators and tracing inflate what small objects cost."""


def classify_origins(
    samples: pd.DataFrame,
    series: IntArray,
    elapsed_s: FloatArray,
    judged: Mapping[str, Mapping[str, Any]],
    is_leak: NDArray[np.bool_],
) -> NDArray[np.str_]:
    """Name the origin of each leak; ``unknown`` for what is none.

    Parameters
    ----------
    samples : DataFrame
        Samples of all runs.
    series, elapsed_s : arrays, shape (n,)
        To which run a sample belongs, and its seconds.
    judged : mapping
        Columns of ``judge_batch`` by metric.
    is_leak : array of bool, shape (m,)
        Runs of which a leak was shown, on whichever metric.

    Notes
    -----
    ``python`` when traced bytes carry the growth (or leak by themselves), ``fragmentation`` when the allocator holds it
    free, ``native`` when traced bytes are known and carry it not, else ``unknown``. What tracing itself takes, which
    grows with the blocks it follows, is taken off the growth of RSS first.
    """
    origins = np.full(is_leak.size, "unknown", dtype="<U13")
    if "traced_bytes" not in judged or "rss_bytes" not in judged or not is_leak.any():
        return origins
    rss, traced = judged["rss_bytes"], judged["traced_bytes"]
    both = is_leak & np.isfinite(traced["slope_bytes_per_s"]) & (rss["n_samples"] > 0)
    tracer, free = (
        _slopes(samples, series, elapsed_s, name, is_leak) for name in ("tracer_bytes", "allocator_free_bytes")
    )
    to_explain = np.maximum(rss["slope_bytes_per_s"] - tracer, rss["slope_bytes_per_s"] / 10)
    origins[both] = "native"
    origins[both & (free >= LEAST_SHARE * to_explain)] = "fragmentation"
    share = np.where(traced["is_leak"], LEAST_SHARE_OF_A_LEAK, LEAST_SHARE)
    origins[both & (~rss["is_leak"] | (traced["slope_bytes_per_s"] >= share * to_explain))] = "python"
    return origins


def _slopes(
    samples: pd.DataFrame, series: IntArray, elapsed_s: FloatArray, column: str, wanted: NDArray[np.bool_]
) -> FloatArray:
    """Growth of a column in bytes per second; 0 where too little of it is known to explain anything."""
    rows = wanted[series] & np.isfinite(known_floats(samples, column))
    values = known_floats(samples, column)[rows]
    batch = prepare_batch(series[rows], elapsed_s[rows], values, n_series=wanted.size)
    return np.nan_to_num(classify_shapes(batch).slope)
