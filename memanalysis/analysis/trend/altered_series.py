"""One series read otherwise than it was recorded, to be judged again."""

from dataclasses import dataclass

import numpy as np

from memanalysis.analysis.arrays import FloatArray

__all__ = ["AlteredSeries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlteredSeries:
    """A series read otherwise; without samples it is one that rises at its end, but not for long enough to be read.

    Parameters
    ----------
    place : int
        Which of its batch it is.
    elapsed_s, values : arrays of float, shape (n,)
        Seconds and bytes.
    range_bytes : float
        By how much the series moves, without what the reading takes out.
    onset_s : float
        Second at which its growth began; NaN where it is not read from there.
    restarted : bool
        Whether it is read from a restart on.
    """

    place: int
    elapsed_s: FloatArray
    values: FloatArray
    range_bytes: float
    onset_s: float = np.nan
    restarted: bool = False
