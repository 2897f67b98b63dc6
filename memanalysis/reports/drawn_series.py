"""Read what is drawn of one run: the judged metric over time and the line the verdict rests on.

Seconds are those of the run's own clock, counted from its first sample; sizes are bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.input_frames import known_floats, with_elapsed
from memanalysis.analysis.trend.evidence_line import find_evidence_line
from memanalysis.reports.series_thinning import thin_series
from memanalysis.units import format_growth, format_growth_interval

__all__ = ["FittedLine", "Series", "fit_line", "read_series"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLine:
    """A line to draw over a series, and the baselines of the windows that the verdict compares."""

    name: str
    elapsed_s: FloatArray
    size_bytes: FloatArray
    window_s: FloatArray
    window_bytes: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one run, known values only, in the order of time."""

    elapsed_s: FloatArray
    values: FloatArray
    zero_s: float
    """Reading of the run's clock at its first sample."""

    def thinned(self) -> pd.DataFrame:
        """Columns ``elapsed_s`` and ``size_bytes``, at most as many rows as a chart can show."""
        elapsed_s, values = thin_series(self.elapsed_s, self.values)
        return pd.DataFrame({"elapsed_s": elapsed_s, "size_bytes": values})


def read_series(samples: pd.DataFrame, metric: str) -> Series:
    """Take one metric out of the samples of one run."""
    if samples.empty:
        return Series(elapsed_s=np.zeros(0), values=np.zeros(0), zero_s=0.0)
    elapsed_s, values = with_elapsed(samples), known_floats(samples, metric)
    known = np.isfinite(elapsed_s) & np.isfinite(values)
    zero_s = float(elapsed_s[np.isfinite(elapsed_s)].min(initial=np.inf))
    elapsed_s, values = elapsed_s[known], values[known]
    if np.any(elapsed_s[1:] < elapsed_s[:-1]):
        order = np.argsort(elapsed_s, kind="stable")
        elapsed_s, values = elapsed_s[order], values[order]
    return Series(elapsed_s=elapsed_s - zero_s, values=values, zero_s=zero_s)


def fit_line(series: Series, verdict: Mapping[str, Any]) -> FittedLine | None:
    """Give the line that the verdict rests on: the fitted growth, or the baselines of its windows."""
    line = find_evidence_line(series.elapsed_s, series.values)
    if line is None:
        return None
    if line.kind == "growth":
        rates = [verdict[f"{end}_bytes_per_s"] for end in ("slope", "low", "high")]
        name = f"fitted {format_growth(*rates)} ({format_growth_interval(*rates)})"
    else:
        name = f"baseline of each of {line.values.size} windows"
    return FittedLine(
        name=name,
        elapsed_s=line.elapsed_s,
        size_bytes=line.values,
        window_s=line.window_s,
        window_bytes=line.window_values,
    )
