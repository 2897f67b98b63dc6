"""Detectors fed with made snapshots."""

import itertools
from collections.abc import Iterable
from typing import Any

from memanalysis.classes.leak_detector import MemoryLeakDetector
from memanalysis.schema import MemorySnapshot

START = 1_700_000_000.0


def snapshots(
    current_mb: Iterable[float], *, objects: Iterable[int] | None = None, step_s: float = 60.0
) -> list[MemorySnapshot]:
    """One snapshot a step, with as many objects as given; 10,000 where none are given."""
    counts = itertools.repeat(10_000) if objects is None else objects
    return [
        MemorySnapshot(START + step_s * index, mb, mb, count)
        for index, (mb, count) in enumerate(zip(current_mb, counts, strict=False))
    ]


def fed(given: Iterable[MemorySnapshot], **leak_detection: Any) -> MemoryLeakDetector:
    detector = MemoryLeakDetector({"leak_detection": {"snapshot_retention_count": 100, **leak_detection}})
    for snapshot in given:
        detector.add_snapshot(snapshot)
    return detector


def ramp(growth_mb: float, *, start_mb: float = 1000.0, n: int = 10) -> list[float]:
    return [start_mb + growth_mb * index / (n - 1) for index in range(n)]
