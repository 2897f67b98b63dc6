"""How high each service was in each week back from a moment or in each release, and how fast it grew there."""

from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import known_floats, require_columns
from memanalysis.analysis.measured_runs import measure_runs
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.schema import BYTE_METRICS

__all__ = [
    "CURVE_COLUMNS",
    "LEVEL_COLUMNS",
    "SLOPE_COLUMNS",
    "WEEK",
    "measure_curves",
    "measure_levels",
    "measure_slopes",
    "number_weeks",
]

WEEK = pd.Timedelta(days=7)

LEVEL_COLUMNS = ("level_bytes", "peak_bytes", "runs", "first", "last")
"""Of each group of samples the median and the highest size, the number of runs, and the first and last moment."""

SLOPE_COLUMNS = ("slope_bytes_per_s", "low_bytes_per_s", "high_bytes_per_s")
"""The mean slope of the runs of a group, weighted by their length, with the ends of its 95 % interval."""

CURVE_COLUMNS = ("service", "timestamp", "low_bytes", "middle_bytes", "high_bytes")
"""Of each service and stretch of time its middle, and the least, the median and the most of the sizes in it."""

_KEYS = ["service", "group"]


def number_weeks(timestamps: "pd.Series[pd.Timestamp]", *, until: pd.Timestamp, weeks: int) -> "pd.Series[float]":
    """Return the week of each moment: 0 is the first of the weeks that end at ``until``; NaN outside of them."""
    number = (weeks - 1 - (until - timestamps) // WEEK).astype(float)
    return number.where((number >= 0) & (number < weeks))


def measure_levels(samples: pd.DataFrame, groups: "pd.Series[Any]") -> pd.DataFrame:
    """Measure how high each service was in each group of its samples.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    groups : Series
        The group of each row, such as its week; rows without one are left out.

    Returns
    -------
    DataFrame
        ``service``, ``group`` and ``LEVEL_COLUMNS``; a size is NaN where none is known.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    frame = _group(samples, groups)
    return (
        frame.groupby(_KEYS, observed=True, sort=True)
        .agg(
            level_bytes=("size", "median"),
            peak_bytes=("size", "max"),
            runs=("run_id", "nunique"),
            first=("timestamp", "min"),
            last=("timestamp", "max"),
        )
        .reset_index()[[*_KEYS, *LEVEL_COLUMNS]]
    )


def measure_slopes(
    samples: pd.DataFrame, groups: "pd.Series[Any]", *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> pd.DataFrame:
    """Measure how fast each service grew in each group of its samples.

    Parameters
    ----------
    samples, groups
        As for `measure_levels`.
    thresholds : Thresholds, optional
        The numbers to fit by.

    Returns
    -------
    DataFrame
        ``service``, ``group`` and ``SLOPE_COLUMNS``, without groups in which no run has enough samples.
    """
    frame = _group(samples, groups)
    pieces = frame.groupby([*_KEYS, "run_id"], observed=True, dropna=False, sort=False).ngroup()
    fits = measure_runs(frame.assign(run_id=pieces, rss_bytes=frame["size"]), thresholds)
    of_piece = frame[_KEYS].assign(piece=pieces).drop_duplicates("piece").set_index("piece")
    length_s = np.maximum(fits.last_s - fits.first_s, 1.0)
    fitted = of_piece.loc[fits.run_ids].assign(
        length=length_s, weighted=fits.slope * length_s, variance=(fits.slope_error * length_s) ** 2
    )
    total = fitted.groupby(_KEYS, observed=True)[["length", "weighted", "variance"]].sum().reset_index()
    slope = total["weighted"] / total["length"]
    half_width = 2 * np.sqrt(total["variance"]) / total["length"]
    return total[_KEYS].assign(
        slope_bytes_per_s=slope, low_bytes_per_s=slope - half_width, high_bytes_per_s=slope + half_width
    )


def measure_curves(samples: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp, stretches: int) -> pd.DataFrame:
    """Return the sizes of each service over time in as many stretches of one length, fit for a small chart.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    since, until : Timestamp
        The time that is shown; ``until`` belongs to the last stretch.
    stretches : int
        How many there are.

    Returns
    -------
    DataFrame
        ``CURVE_COLUMNS`` without stretches that have no sample of a known size.
    """
    length = max((until - since) / stretches, pd.Timedelta(microseconds=1))
    number = ((samples["timestamp"] - since) // length).clip(upper=stretches - 1)
    frame = _group(samples, number.where((samples["timestamp"] >= since) & (samples["timestamp"] <= until)))
    sizes = frame[frame["size"].notna()].groupby(_KEYS, observed=True, sort=True)["size"]
    curves = sizes.agg(low_bytes="min", middle_bytes="median", high_bytes="max").reset_index()
    return curves.assign(timestamp=since + (curves["group"] + 0.5) * length)[list(CURVE_COLUMNS)]


def _group(samples: pd.DataFrame, groups: "pd.Series[Any]") -> pd.DataFrame:
    """Return the rows that have a service, a time and a group, with their ``size``."""
    require_columns("trend", samples, ["service", "run_id", "timestamp"])
    frame = samples.assign(group=groups, size=_find_sizes(samples))
    return frame[frame["group"].notna() & frame["service"].notna() & frame["timestamp"].notna()]


def _find_sizes(samples: pd.DataFrame) -> "pd.Series[float]":
    """Return the size of each row: of each service the preferred one of ``BYTE_METRICS`` that is known of it."""
    sizes = pd.Series(np.nan, index=samples.index)
    for name in reversed(BYTE_METRICS):
        known = pd.Series(known_floats(samples, name), index=samples.index)
        is_known = known.notna().groupby(samples["service"], observed=True).transform("any").fillna(value=False)
        sizes = known.where(is_known.astype(bool), sizes)
    return sizes
