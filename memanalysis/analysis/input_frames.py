"""Frames that come in: have they the columns that a call needs, and which of their metrics are known."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.errors import MissingColumnError
from memanalysis.schema import END_LABEL

__all__ = [
    "finite_float",
    "known_floats",
    "require_columns",
    "run_key",
    "with_elapsed",
    "with_elapsed_of_runs",
    "without_end",
]


def require_columns(call: str, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise a MissingColumnError that names what is missing and what is there."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise MissingColumnError(
            f"{call} needs the columns {missing}, but the frame has {sorted(map(str, frame.columns))}. "
            "Pass a table of a ledger, or rename your columns."
        )


def known_floats(frame: pd.DataFrame, column: str) -> FloatArray:
    """Values of a column as floats, NaN where unknown; all NaN when the column is not there."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    known = frame[column]
    if known.dtype == np.float64:
        return known.to_numpy()
    values: FloatArray = known.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def finite_float(value: object) -> float | None:
    """Give a number of an event's data as a float; None for what is none, or has no finite size."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if np.isfinite(number) else None


def run_key(row: Mapping[Hashable, Any]) -> tuple[Any, Any]:
    """Service and run of a row, as a key: a run without an id is one, whichever way its table writes that."""
    return row["service"], None if pd.isna(row["run_id"]) else row["run_id"]


def with_elapsed(samples: pd.DataFrame) -> FloatArray:
    """Seconds of each row: ``elapsed_s`` where all of it is known, else ``timestamp`` from its earliest.

    Raises
    ------
    MissingColumnError
        Neither column is there.
    """
    elapsed_s = known_floats(samples, "elapsed_s")
    if "elapsed_s" in samples and np.isfinite(elapsed_s).all():
        return elapsed_s
    require_columns("assess", samples, ["timestamp"])
    stamps = pd.to_datetime(samples["timestamp"], utc=True)
    return np.asarray((stamps - stamps.min()).dt.total_seconds(), dtype=np.float64)


def with_elapsed_of_runs(samples: pd.DataFrame, counts: IntArray) -> FloatArray:
    """Seconds of each row of runs that lie one after the other.

    Of a run whose ``elapsed_s`` is unknown anywhere they are those of ``timestamp`` from its own earliest. What is
    unknown of one run changes nothing of the others.

    Raises
    ------
    MissingColumnError
        Neither column is there.
    """
    elapsed_s = known_floats(samples, "elapsed_s")
    is_unknown = np.ones(len(samples), dtype=bool) if "elapsed_s" not in samples else ~np.isfinite(elapsed_s)
    if "elapsed_s" in samples and not is_unknown.any():
        return elapsed_s
    require_columns("assess", samples, ["timestamp"])
    of_run = np.repeat(np.arange(counts.size), counts)
    rows = np.flatnonzero((np.bincount(of_run, weights=is_unknown, minlength=counts.size) > 0)[of_run])
    stamps = pd.to_datetime(samples["timestamp"].iloc[rows], utc=True)
    began = stamps.groupby(of_run[rows]).transform("min")
    seconds = elapsed_s.copy()
    seconds[rows] = (stamps - began).dt.total_seconds().to_numpy(dtype=np.float64)
    return seconds


def without_end(samples: pd.DataFrame, elapsed_s: FloatArray) -> FloatArray:
    """Return the seconds with NaN for samples of the end, so that no step reads them."""
    if "label" not in samples:
        return elapsed_s
    is_end = samples["label"].eq(END_LABEL).fillna(value=False).to_numpy(dtype=bool)
    return np.where(is_end, np.nan, elapsed_s)
