"""One series made fit to judge: known, sorted, one value a moment, cut where the process began anew.

Times are seconds of a monotonic clock, values are bytes (or counts). A fall of more than half is taken for a restart
when what follows is the longest stretch and at least a third of the whole; many such falls are a saw-tooth, and stay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memanalysis.errors import InvalidArgumentError

__all__ = ["FloatArray", "PreparedSeries", "prepare_series"]

FloatArray = NDArray[np.float64]

RESTART_FALL = 0.5
"""A fall by more than this share of the value before it may be a restart (coroot cuts at the same share)."""

RESTART_SHARE = 1 / 3
"""What follows a restart is judged alone when it lasts at least this share of the whole series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSeries:
    """The stretch of a series that is judged.

    Parameters
    ----------
    elapsed_s, values : arrays of float, shape (n,)
        Strictly rising times and finite values.
    n_dropped : int
        Samples left out because they were unknown, infinite, or earlier than the last restart.
    restarts : int
        Falls that were taken for restarts.
    """

    elapsed_s: FloatArray
    values: FloatArray
    n_dropped: int
    restarts: int

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last sample; 0 for fewer than two."""
        return float(self.elapsed_s[-1] - self.elapsed_s[0]) if self.elapsed_s.size > 1 else 0.0


def prepare_series(elapsed_s: ArrayLike, values: ArrayLike) -> PreparedSeries:
    """Sort, clean and cut one series.

    Parameters
    ----------
    elapsed_s, values : array-like, shape (n,)
        Seconds and bytes, in any order; unknown values are NaN (or NA).

    Raises
    ------
    InvalidArgumentError
        The two differ in length, or a value is negative: memory cannot be.
    """
    times, measured = _as_floats(elapsed_s, "elapsed_s"), _as_floats(values, "values_bytes")
    if times.shape != measured.shape:
        raise InvalidArgumentError(
            f"A series needs a time for each value, but got {times.size} and {measured.size}. Pass as many of each."
        )
    known = np.isfinite(times) & np.isfinite(measured)
    times, measured = times[known], measured[known]
    if measured.size and measured.min() < 0:
        raise InvalidArgumentError(
            f"A series needs sizes of 0 bytes or more, but got {measured.min():.0f}. Leave unknown values empty (NaN)."
        )
    times, measured = _one_value_a_moment(times, measured)
    start, restarts = _last_restart(times, measured)
    return PreparedSeries(
        elapsed_s=times[start:],
        values=measured[start:],
        n_dropped=int(known.size - (times.size - start)),
        restarts=restarts,
    )


def _as_floats(data: ArrayLike, name: str) -> FloatArray:
    to_numpy = getattr(data, "to_numpy", None)
    try:
        array = to_numpy(dtype=np.float64, na_value=np.nan) if to_numpy else np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise InvalidArgumentError(f"A series needs numbers in {name}, but got {type(data).__name__}: {exc}.") from exc
    if array.ndim != 1:
        raise InvalidArgumentError(
            f"A series needs {name} in one dimension, but got {array.ndim}. Pass one series a call."
        )
    return array


def _one_value_a_moment(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sort by time and keep the last value that was given for each moment."""
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    is_last = np.append(np.diff(times) > 0, True) if times.size else np.zeros(0, dtype=bool)
    return times[is_last], values[is_last]


def _last_restart(times: FloatArray, values: FloatArray) -> tuple[int, int]:
    """Index at which the judged stretch begins, and how many restarts lie before it."""
    if times.size < 2:
        return 0, 0
    falls = np.flatnonzero(values[1:] < values[:-1] * (1 - RESTART_FALL)) + 1
    if not falls.size:
        return 0, 0
    edges = np.concatenate(([0], falls, [times.size]))
    lengths = times[edges[1:] - 1] - times[edges[:-1]]
    last = lengths[-1]
    if last >= RESTART_SHARE * (times[-1] - times[0]) and last >= lengths.max():
        return int(falls[-1]), int(falls.size)
    return 0, 0
