"""`ComprehensiveLeakDetector`: leak, trend, objects and cleanup of one process in one call."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from memanalysis.classes.auto_cleanup_manager import AutoCleanupManager
from memanalysis.classes.leak_detector import LeakDetectionResult, MemoryLeakDetector
from memanalysis.classes.object_leak_detector import ObjectLeakDetector
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.schema import MemorySnapshot

__all__ = ["ComprehensiveLeakDetector"]


class ComprehensiveLeakDetector:
    """A leak detector, an object detector and a cleanup that work by one policy.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections.
    clock : callable, optional
        Epoch seconds, for a detection before the first snapshot.

    Attributes
    ----------
    leak_detector, object_detector, cleanup_manager
        The three; hooks and caches are registered with ``cleanup_manager``.

    Raises
    ------
    PolicyError
        The mapping is no policy.

    Notes
    -----
    Objects are counted with the first snapshot and in each full detection: some 100 ms a million objects.
    """

    def __init__(self, config: Mapping[str, Any] | Policy, *, clock: Callable[[], float] = time.time) -> None:
        policy = parse_policy(config, source="config")
        self._enabled = policy.leak_detection.enabled
        self._latest_s: float | None = None
        self.leak_detector = MemoryLeakDetector(policy, clock=clock)
        self.object_detector = ObjectLeakDetector(
            retention=policy.leak_detection.snapshot_retention_count,
            clock=lambda: clock() if self._latest_s is None else self._latest_s,  # objects and memory on one time axis
        )
        self.cleanup_manager = AutoCleanupManager(policy)

    def add_snapshot(self, snapshot: MemorySnapshot) -> None:
        """Keep a snapshot; with the first one the objects are counted, to compare with.

        Raises
        ------
        InvalidArgumentError
            It is no snapshot, or its readings are no sizes.
        """
        self.leak_detector.add_snapshot(snapshot)
        is_first = self._latest_s is None
        self._latest_s = snapshot.timestamp if snapshot.elapsed_s is None else snapshot.elapsed_s
        if is_first and self._enabled:
            self.object_detector.take_object_snapshot()

    def run_full_detection(self) -> dict[str, Any]:
        """Judge the kept snapshots, compare the objects, and free memory where the policy wants it.

        Returns
        -------
        dict
            ``leak_detection`` (detected, severity, memory_growth_mb, memory_growth_percent, object_count_growth,
            details), ``trend_analysis`` (direction, rate_mb_per_second, total_growth_mb; None below three snapshots),
            ``object_leaks`` (a list, the largest growth first) and ``auto_cleanup`` (triggered, results; None where
            nothing was freed).
        """
        result = self.leak_detector.detect_leak()
        return {
            "leak_detection": _summary(result),
            "trend_analysis": self._read_trend(),
            "object_leaks": self._find_object_leaks(),
            "auto_cleanup": self._clean_up(result),
        }

    def _read_trend(self) -> dict[str, Any] | None:
        trend = self.leak_detector.analyze_trend()
        if trend is None:
            return None
        return {name: value for name, value in asdict(trend).items() if name != "duration_seconds"}

    def _find_object_leaks(self) -> list[dict[str, Any]]:
        if not self._enabled:
            return []
        self.object_detector.take_object_snapshot()
        return self.object_detector.detect_object_leaks()

    def _clean_up(self, result: LeakDetectionResult) -> dict[str, Any] | None:
        if not self.cleanup_manager.should_trigger_cleanup(result):
            return None
        return {"triggered": True, "results": self.cleanup_manager.execute_cleanup()}


def _summary(result: LeakDetectionResult) -> dict[str, Any]:
    return {
        "detected": result.leak_detected,
        "severity": result.severity,
        "memory_growth_mb": result.memory_growth_mb,
        "memory_growth_percent": result.memory_growth_percent,
        "object_count_growth": result.object_count_growth,
        "details": result.details,
    }
