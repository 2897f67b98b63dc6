"""Snapshots as series that the engine can judge: sorted in time, and the facts of their ends.

Seconds are those of the monotonic clock where every snapshot has them, else of the wall clock. MB are 2**20 bytes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from memanalysis.schema import MemorySnapshot

__all__ = ["SnapshotSeries", "arrange_snapshots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSeries:
    """Kept snapshots in the order of time; NaN is unknown."""

    elapsed_s: list[float]
    current_mb: list[float]
    object_count: list[float]
    latest_timestamp: float | None

    @property
    def n_moments(self) -> int:
        """Snapshots at different times."""
        return len(set(self.elapsed_s))

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last."""
        return self.elapsed_s[-1] - self.elapsed_s[0] if self.elapsed_s else 0.0

    @property
    def memory_growth_mb(self) -> float:
        """Last known minus first known reading; 0 below two snapshots, NaN where less than two are known."""
        return _ends_apart(self.current_mb)

    @property
    def memory_growth_percent(self) -> float:
        """The same in percent of the first known reading; infinite for growth from nothing."""
        growth_mb = self.memory_growth_mb
        first_mb = next((value for value in self.current_mb if not math.isnan(value)), math.nan)
        if first_mb > 0:
            return 100 * growth_mb / first_mb
        return math.inf if growth_mb > 0 else growth_mb

    @property
    def object_count_growth(self) -> int:
        """Objects more in the last known count than in the first known; 0 where less than two are known."""
        growth = _ends_apart(self.object_count)
        return 0 if math.isnan(growth) else round(growth)


def arrange_snapshots(snapshots: Iterable[MemorySnapshot]) -> SnapshotSeries:
    """Sort snapshots by time; those of one moment stay in the order in which they came."""
    given = list(snapshots)
    elapsed_s = [snapshot.elapsed_s for snapshot in given if snapshot.elapsed_s is not None]
    times_s = elapsed_s if len(elapsed_s) == len(given) else [snapshot.timestamp for snapshot in given]
    timed = sorted(zip(times_s, given, strict=True), key=itemgetter(0))
    return SnapshotSeries(
        elapsed_s=[time_s for time_s, _ in timed],
        current_mb=[_known(snapshot.current_mb) for _, snapshot in timed],
        object_count=[_known(snapshot.object_count) for _, snapshot in timed],
        latest_timestamp=timed[-1][1].timestamp if timed else None,
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _ends_apart(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    if len(known) >= 2:
        return known[-1] - known[0]
    return 0.0 if len(values) < 2 else math.nan
