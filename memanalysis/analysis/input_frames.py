"""Frames that come in: have they the columns that a call needs, and which of their metrics are known."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.errors import MissingColumnError
from memanalysis.schema import END_LABEL

__all__ = ["finite_float", "known_floats", "require_columns", "run_key", "with_elapsed", "without_end"]


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


def without_end(samples: pd.DataFrame, elapsed_s: FloatArray) -> FloatArray:
    """Return the seconds with NaN for samples of the end, so that no step reads them."""
    if "label" not in samples:
        return elapsed_s
    is_end = samples["label"].eq(END_LABEL).fillna(value=False).to_numpy(dtype=bool)
    return np.where(is_end, np.nan, elapsed_s)
