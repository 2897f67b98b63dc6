"""Which types of objects become more and more: the collector's census, taken again and again.

With few censuses the answer is what was measured, types that had more objects each time; from five on it is what the
engine of `memanalysis.analysis` calls growth.
"""

import gc
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from memanalysis.capture.objects import read_object_census
from memanalysis.classes.object_rules import OBJECT_WEIGHT
from memanalysis.classes.snapshot_engine import load_snapshot_engine
from memanalysis.errors import InvalidArgumentError

__all__ = ["ObjectLeakDetector"]

DEFAULT_RETENTION = 10
"""Censuses kept, as many as snapshots in the default policy."""

MIN_CENSUSES_TO_JUDGE = 5
"""The engine judges no fewer points."""

MAX_JUDGED_TYPES = 20
"""Types that the engine is asked about, the most growth first: a few milliseconds each."""

MIN_GROWTH = 32 * 1024 // OBJECT_WEIGHT
"""Objects: the engine calls a type stable that moved by fewer, so it need not be asked."""


class ObjectLeakDetector:
    """Counts the objects that the garbage collector follows, by type, and compares.

    Parameters
    ----------
    retention : int
        Censuses kept, at least 2; the oldest is dropped first.
    read_census : callable, optional
        Gives rows with ``type`` and ``count``.
    clock : callable, optional
        Seconds that only go forward.

    Notes
    -----
    A census walks all objects: some 100 ms a million. Garbage is collected first, for garbage is no leak, unless the
    program has turned its collector off.
    """

    def __init__(
        self,
        *,
        retention: int = DEFAULT_RETENTION,
        read_census: Callable[[], Sequence[Mapping[str, Any]]] = read_object_census,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if retention < 2:
            raise InvalidArgumentError(
                f"ObjectLeakDetector needs a retention of at least 2 censuses, but got {retention}. Two are compared."
            )
        self._read_census = read_census
        self._clock = clock
        self._kept: deque[tuple[float, dict[str, int]]] = deque(maxlen=retention)
        self._lock = threading.Lock()

    def take_object_snapshot(self) -> dict[str, int]:
        """Count the live objects now, and keep the counts; gives them by type."""
        if gc.isenabled():
            gc.collect()
        counts = {str(row["type"]): int(row["count"]) for row in self._read_census()}
        with self._lock:
            self._kept.append((self._clock(), counts))
        return dict(counts)

    def detect_object_leaks(self) -> list[dict[str, Any]]:
        """Find the types that became more, the largest growth first.

        Returns
        -------
        list of dict
            ``object_type, first_count, last_count, growth, growth_percent`` between the first and the last kept census;
            ``growth_percent`` is infinite where there was none at first. Empty below two censuses.
        """
        with self._lock:
            kept = list(self._kept)
        if len(kept) < 2:
            return []
        grown = _rows_of_growth(kept[0][1], kept[-1][1])
        if len(kept) < MIN_CENSUSES_TO_JUDGE:
            return [row for row in grown if _rises_each_time([counts.get(row["object_type"], 0) for _, counts in kept])]
        return _judged_growing(grown, kept)


def _rows_of_growth(first: Mapping[str, int], last: Mapping[str, int]) -> list[dict[str, Any]]:
    rows = []
    for name, count in last.items():
        before = first.get(name, 0)
        if count > before:
            rows.append(
                {
                    "object_type": name,
                    "first_count": before,
                    "last_count": count,
                    "growth": count - before,
                    "growth_percent": 100 * (count - before) / before if before else math.inf,
                }
            )
    return sorted(rows, key=lambda row: (-row["growth"], row["object_type"]))


def _rises_each_time(counts: list[int]) -> bool:
    return all(later > earlier for earlier, later in pairwise(counts))


def _judged_growing(
    grown: list[dict[str, Any]], kept: Sequence[tuple[float, Mapping[str, int]]]
) -> list[dict[str, Any]]:
    load_snapshot_engine()
    from memanalysis.classes.snapshot_verdict import judge_counts

    times_s = [time_s for time_s, _ in kept]
    candidates = [row for row in grown if row["growth"] >= MIN_GROWTH][:MAX_JUDGED_TYPES]
    return [
        row
        for row in candidates
        if judge_counts(times_s, [counts.get(row["object_type"], 0) for _, counts in kept]).is_leak
    ]
