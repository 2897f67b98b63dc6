"""What the samples of a run that died show of its memory: first and last level, limit, and when growth began."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import known_floats
from memanalysis.analysis.trend.onset import find_onsets
from memanalysis.reports.verdict_cells import known_number

__all__ = ["MIN_GROWTH_BYTES", "DeathMemory", "read_death_memory"]

MIN_GROWTH_BYTES = 8 * 1024**2
MIN_GROWTH_SHARE = 0.1
"""Memory that rose by less than both, of its level at the end, did not grow enough to be named in a ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathMemory:
    """What the samples show of the memory of a run; unknown is None.

    Parameters
    ----------
    first, last : datetime or None
        Of the first and the last sample with a size.
    first_bytes, last_bytes : float or None
        Resident memory then.
    limit_bytes : float or None
        What its container allows, as it was recorded: beyond that the kernel kills.
    budget_bytes : float or None
        What a policy allows, where no container has a limit: beyond that nothing is killed.
    is_growing : bool
        Whether it rose enough to be named in a ticket.
    began : datetime or None
        When it began to rise.
    """

    first: datetime | None
    last: datetime | None
    first_bytes: float | None
    last_bytes: float | None
    limit_bytes: float | None
    budget_bytes: float | None
    is_growing: bool
    began: datetime | None

    @property
    def limit_share(self) -> float | None:
        """Memory at the last sample as a part of what its container allows."""
        return self.last_bytes / self.limit_bytes if self.last_bytes and self.limit_bytes else None


def read_death_memory(samples: pd.DataFrame, verdict: Mapping[str, Any]) -> DeathMemory:
    """Return what the samples of a run show, and of its verdict its budget and when growth began."""
    times, rss = samples["timestamp"], known_floats(samples, "rss_bytes")
    at = np.flatnonzero(np.isfinite(rss) & times.notna().to_numpy())
    at = at[np.argsort(times.iloc[at].to_numpy(), kind="stable")]
    limits = known_floats(samples, "limit_bytes")
    limit = limits[np.isfinite(limits)]
    budget = None if limit.size else known_number(verdict["limit_bytes"])
    if not at.size:
        return DeathMemory(
            first=None, last=None, first_bytes=None, last_bytes=None, limit_bytes=None, budget_bytes=budget,
            is_growing=False, began=None,
        )  # fmt: skip
    moments, values = times.iloc[at], rss[at]
    grown = float(values[-1] - values[0])
    is_growing = grown >= MIN_GROWTH_BYTES and grown >= MIN_GROWTH_SHARE * values[-1]
    first = moments.iloc[0].to_pydatetime()
    onset_s = known_number(verdict["onset_s"])
    if onset_s is None and is_growing and at.size >= 8:
        seconds = (moments - moments.iloc[0]).dt.total_seconds().to_numpy()
        onset_s = known_number(find_onsets(seconds[None], values[None])[0]) if seconds[-1] > 0 else None
    return DeathMemory(
        first=first,
        last=moments.iloc[-1].to_pydatetime(),
        first_bytes=float(values[0]),
        last_bytes=float(values[-1]),
        limit_bytes=float(limit[-1]) if limit.size else None,
        budget_bytes=budget,
        is_growing=is_growing,
        began=None if not is_growing else first + timedelta(seconds=onset_s or 0.0),
    )
