"""How much of what resident memory grew by Python allocated: the rest is native, and in no table of lines."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import known_floats
from memanalysis.units import MIB

__all__ = ["GrowthSplit", "split_growth"]

MIN_OUTSIDE_SHARE = 0.1
MIN_OUTSIDE_BYTES = MIB
"""Below this part of the growth, and this size, what Python did not allocate is not worth a sentence."""


@dataclass(frozen=True, slots=True)
class GrowthSplit:
    """Growth of a run between two moments.

    Parameters
    ----------
    resident_bytes : float
        Of resident memory.
    python_bytes : float
        Of what Python allocated, as it was traced or sampled.
    """

    resident_bytes: float
    python_bytes: float

    @property
    def outside_bytes(self) -> float:
        """What native code took, or what was freed and not given back to the system."""
        return self.resident_bytes - max(0.0, self.python_bytes)

    @property
    def is_notable(self) -> bool:
        """Whether a notable part of the growth is not Python's."""
        return self.outside_bytes >= max(MIN_OUTSIDE_BYTES, MIN_OUTSIDE_SHARE * self.resident_bytes)


def split_growth(samples: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp) -> GrowthSplit | None:
    """Split the growth of a run between two moments; None where allocations were not followed at both.

    Parameters
    ----------
    samples : DataFrame
        Of the run.
    since, until : Timestamp
        NaT stands for the first sample and the last.
    """
    rss, times = known_floats(samples, "rss_bytes"), samples["timestamp"]
    for column in ("traced_bytes", "sampled_bytes"):
        python = known_floats(samples, column)
        is_known = np.isfinite(rss) & np.isfinite(python) & times.notna().to_numpy()
        if not pd.isna(since):
            is_known &= (times >= since).to_numpy(dtype=bool, na_value=False)
        if not pd.isna(until):
            is_known &= (times <= until).to_numpy(dtype=bool, na_value=False)
        known = np.flatnonzero(is_known)
        if known.size > 1:
            first, last = known[0], known[-1]
            return GrowthSplit(float(rss[last] - rss[first]), float(python[last] - python[first]))
    return None
