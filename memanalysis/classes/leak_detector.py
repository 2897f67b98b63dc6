"""`MemoryLeakDetector`: verdict, trend and growth of a process by its latest snapshots.

One engine judges, that of `memanalysis.analysis`; the policy's thresholds decide from which growth on a leak that was
shown is reported. MB are 2**20 bytes.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

from memanalysis.analysis.verdict import Severity, Verdict
from memanalysis.classes.object_rules import object_rules, scaled_thresholds
from memanalysis.classes.snapshot_engine import load_snapshot_engine
from memanalysis.classes.snapshot_series import SnapshotSeries, arrange_snapshots
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.schema import MemorySnapshot
from memanalysis.verdicts.policy_severity import reported_severity, severity_rules

if TYPE_CHECKING:
    from memanalysis.classes.snapshot_verdict import Direction

__all__ = ["LeakDetectionResult", "MemoryLeakDetector", "MemoryTrend"]

OBJECT_SEVERITY: Severity = "medium"
"""Of a leak that only the number of objects shows: it does little harm as long as the memory does not follow."""


@dataclass(frozen=True, slots=True)
class LeakDetectionResult:
    """What a detector has found.

    Parameters
    ----------
    leak_detected : bool
        A leak was shown, and its growth reaches a threshold of the policy.
    severity : str
        none, low (shown, but below the thresholds), medium, high or critical.
    memory_growth_mb, memory_growth_percent : float
        The last kept snapshot against the first, whether a leak was shown or not; NaN where the readings are unknown.
    object_count_growth : int
        The same of the number of objects.
    timestamp : float
        Epoch seconds of the latest snapshot; of the question when there is none.
    details : dict
        ``shape``, ``sentence``, ``missing``, ``verdict``, ``object_verdict``, ``thresholds``, ``n_snapshots``,
        ``enabled``.
    """

    leak_detected: bool
    severity: Severity
    memory_growth_mb: float
    memory_growth_percent: float
    object_count_growth: int
    timestamp: float
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """Where memory goes: the slope of the engine's fit, and the difference between the first and the last snapshot."""

    direction: "Direction"
    rate_mb_per_second: float
    total_growth_mb: float
    duration_seconds: float


class MemoryLeakDetector:
    """Judges the latest snapshots of one process.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections; ``leak_detection`` is what counts here.
    clock : callable, optional
        Epoch seconds, for a question asked before the first snapshot.

    Raises
    ------
    PolicyError
        The mapping is no policy.
    """

    def __init__(self, config: Mapping[str, Any] | Policy, *, clock: Callable[[], float] = time.time) -> None:
        self.policy = parse_policy(config, source="config").leak_detection
        self._clock = clock
        self._kept: deque[MemorySnapshot] = deque(maxlen=self.policy.snapshot_retention_count)
        self._lock = threading.Lock()
        if self.policy.enabled:
            load_snapshot_engine()

    @property
    def snapshots(self) -> tuple[MemorySnapshot, ...]:
        """The snapshots that are kept, as they came; the one that came first is dropped first."""
        with self._lock:
            return tuple(self._kept)

    def add_snapshot(self, snapshot: MemorySnapshot) -> None:
        """Keep a snapshot; snapshots may come in any order of time.

        Raises
        ------
        InvalidArgumentError
            It is no snapshot, or its readings are no sizes.
        """
        _check_snapshot(snapshot)
        with self._lock:
            self._kept.append(snapshot)

    def detect_leak(self) -> LeakDetectionResult:
        """Judge the kept snapshots."""
        series = arrange_snapshots(self.snapshots)
        if not self.policy.enabled:
            return self._result(series, False, "none", {"sentence": "Leak detection is not enabled in the policy."})
        from memanalysis.classes.snapshot_verdict import (
            judge_counts,
            judge_memory,
        )  # loads numpy: not before it is asked

        memory = judge_memory(series.elapsed_s, series.current_mb, rules=severity_rules(self.policy))
        objects = judge_counts(series.elapsed_s, series.object_count, rules=object_rules(self.policy))
        by_memory, by_objects = _is_reported(memory), _is_reported(objects)
        severity = OBJECT_SEVERITY if by_objects and not by_memory else memory.severity
        details = {
            "shape": memory.shape,
            "sentence": memory.sentence + _describe_rest(memory, series, by_memory=by_memory, by_objects=by_objects),
            "missing": memory.evidence.missing,
            "verdict": asdict(memory),
            "object_verdict": asdict(objects),
        }
        return self._result(series, by_memory or by_objects, severity, details)

    def analyze_trend(self) -> MemoryTrend | None:
        """Return the direction that memory takes; None below three snapshots at different times."""
        series = arrange_snapshots(self.snapshots)
        if series.n_moments < 3:
            return None
        load_snapshot_engine()
        from memanalysis.classes.snapshot_verdict import read_trend

        trend = read_trend(series.elapsed_s, series.current_mb)
        if trend is None:
            return None
        return MemoryTrend(trend[0], trend[1], series.memory_growth_mb, series.duration_s)

    def _result(
        self, series: SnapshotSeries, detected: bool, severity: Severity, details: dict[str, Any]
    ) -> LeakDetectionResult:
        empty = {"shape": "inconclusive", "missing": None, "verdict": None, "object_verdict": None}
        shared = {
            "enabled": self.policy.enabled,
            "n_snapshots": len(series.elapsed_s),
            "thresholds": scaled_thresholds(self.policy),
        }
        return LeakDetectionResult(
            leak_detected=detected,
            severity=severity,
            memory_growth_mb=series.memory_growth_mb,
            memory_growth_percent=series.memory_growth_percent,
            object_count_growth=series.object_count_growth,
            timestamp=self._clock() if series.latest_timestamp is None else series.latest_timestamp,
            details=empty | details | shared,
        )


def _is_reported(verdict: Verdict) -> bool:
    return reported_severity(verdict) != "none"


def _describe_rest(memory: Verdict, series: SnapshotSeries, *, by_memory: bool, by_objects: bool) -> str:
    text = " It is below the thresholds of the policy." if memory.is_leak and not by_memory else ""
    if by_objects:
        text += f" The number of objects grew steadily, by {series.object_count_growth:+d}."
    return text


def _check_snapshot(snapshot: MemorySnapshot) -> None:
    if not isinstance(snapshot, MemorySnapshot):
        raise InvalidArgumentError(
            f"add_snapshot needs a MemorySnapshot, but got {type(snapshot).__name__}. "
            "Give what take_snapshot() or get_snapshot() returns."
        )
    for name in ("current_mb", "object_count"):
        size = getattr(snapshot, name)
        if size is not None and (not _is_number(size) or size < 0 or math.isinf(size)):
            raise _unusable("a size of 0 or more, or NaN where it is unknown,", name, size)
    for name in ("timestamp", "elapsed_s"):
        time_s = getattr(snapshot, name)
        if (time_s is not None or name == "timestamp") and (not _is_number(time_s) or not math.isfinite(time_s)):
            raise _unusable("finite seconds", name, time_s)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _unusable(needed: str, name: str, value: object) -> InvalidArgumentError:
    return InvalidArgumentError(f"add_snapshot needs {needed} in {name}, but got {value!r}. Leave such a snapshot out.")
