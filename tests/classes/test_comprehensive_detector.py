"""One call: leak, trend, objects and cleanup, in the shape of the class interface."""

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from memanalysis.classes.comprehensive_detector import ComprehensiveLeakDetector
from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.classes.tracemalloc_integration import TracemallocIntegration
from memanalysis.errors import PolicyError
from memanalysis.schema import MemorySnapshot
from memanalysis.units import MIB

pytestmark = pytest.mark.slow


class Page:
    """What the leaking program keeps."""

    def __init__(self) -> None:
        self.text = bytearray(MIB // 100)


def snapshot(minute: int, mb: float) -> MemorySnapshot:
    return MemorySnapshot(1_700_000_000.0 + 60 * minute, mb, mb, 10_000)


def grown(mb_a_minute: float, *, minutes: int = 10, **leak_detection: Any) -> dict[str, Any]:
    detector = ComprehensiveLeakDetector({"leak_detection": leak_detection})
    for minute in range(minutes):
        detector.add_snapshot(snapshot(minute, 100 + mb_a_minute * minute))
    return detector.run_full_detection()


def test_the_result_has_the_shape_of_the_contract() -> None:
    results = grown(10)

    assert list(results) == ["leak_detection", "trend_analysis", "object_leaks", "auto_cleanup"]
    assert list(results["leak_detection"]) == [
        "detected",
        "severity",
        "memory_growth_mb",
        "memory_growth_percent",
        "object_count_growth",
        "details",
    ]
    assert results["leak_detection"]["detected"] is True
    assert results["leak_detection"]["memory_growth_mb"] == 90
    assert results["trend_analysis"] == {
        "direction": "increasing",
        "rate_mb_per_second": pytest.approx(10 / 60),
        "total_growth_mb": 90,
    }
    assert isinstance(results["object_leaks"], list)
    assert results["auto_cleanup"]["triggered"] is True
    assert list(results["auto_cleanup"]["results"]) == ["garbage_collection", "resource_cleanup", "cache_flush"]


def test_a_leak_below_the_threshold_of_cleanup_frees_nothing() -> None:
    """45 MB are a leak, and below the 50 MB from which something is freed."""
    results = grown(5)

    assert results["leak_detection"]["detected"] is True
    assert results["auto_cleanup"] is None


def test_what_does_not_grow_is_neither_leak_nor_cleaned() -> None:
    results = grown(0)

    assert (results["leak_detection"]["detected"], results["leak_detection"]["severity"]) == (False, "none")
    assert results["trend_analysis"]["direction"] == "stable"
    assert results["auto_cleanup"] is None


def test_below_three_snapshots_there_is_no_trend() -> None:
    assert grown(10, minutes=2)["trend_analysis"] is None


def test_before_the_first_snapshot_nothing_is_said() -> None:
    results = ComprehensiveLeakDetector({}).run_full_detection()

    assert (results["leak_detection"]["detected"], results["trend_analysis"], results["object_leaks"]) == (
        False,
        None,
        [],
    )


def test_detection_that_is_off_counts_no_objects() -> None:
    results = grown(10, enabled=False)

    assert (results["leak_detection"]["detected"], results["object_leaks"], results["auto_cleanup"]) == (
        False,
        [],
        None,
    )


def test_registered_hooks_run_when_a_leak_is_found() -> None:
    detector = ComprehensiveLeakDetector({"leak_detection": {"auto_cleanup": {"methods": ["resource_cleanup"]}}})
    ran: list[str] = []
    detector.cleanup_manager.register_resource("pool", lambda: ran.append("pool"))
    for minute in range(10):
        detector.add_snapshot(snapshot(minute, 100 + 10 * minute))
    results = detector.run_full_detection()

    assert ran == ["pool"]
    assert results["auto_cleanup"]["results"]["resource_cleanup"]["did"] == "Ran 1 hook: pool."


def test_a_wrong_config_is_refused_at_once() -> None:
    with pytest.raises(
        PolicyError, match=r"^config: leak_detection: needs a mapping of keys to values, but got a list"
    ):
        ComprehensiveLeakDetector({"leak_detection": ["enabled"]})


def test_a_real_leak_is_found_with_its_objects() -> None:
    """A program that keeps 4 MB of pages a minute, watched as the specification shows, with the default policy."""
    tracer = TracemallocIntegration(trace_limit=1)
    assert tracer.start()
    kept: list[Page] = []
    try:
        detector = ComprehensiveLeakDetector(MemoryPolicyLoader("no/such/policy.yaml").config)
        for minute in range(10):
            kept.extend(Page() for _ in range(400))
            detector.add_snapshot(replace(tracer.take_snapshot(), elapsed_s=60.0 * minute))
            if minute in {2, 5, 9}:  # each goes through every object of this process
                results = detector.run_full_detection()
    finally:
        assert tracer.stop()

    assert not tracemalloc.is_tracing()
    assert results["leak_detection"]["detected"] is True
    assert results["leak_detection"]["memory_growth_mb"] == pytest.approx(36, rel=0.1)
    assert results["trend_analysis"]["direction"] == "increasing"
    assert any(row["object_type"].endswith("Page") and row["growth"] == 3600 for row in results["object_leaks"])
