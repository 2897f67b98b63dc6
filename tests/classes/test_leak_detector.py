"""Live snapshots, judged by the engine and held against the policy's thresholds."""

import math
from typing import Any

import numpy as np
import pytest
from fed_detectors import START, fed, ramp, snapshots

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.classes.leak_detector import MemoryLeakDetector
from memanalysis.schema import MemorySnapshot


def test_steady_growth_above_the_thresholds_is_a_leak() -> None:
    """30 MB of 100 MB are three times the 10 MB, and one and a half times the 20 percent, of the default policy."""
    result = fed(snapshots(ramp(30, start_mb=100))).detect_leak()

    assert (result.leak_detected, result.severity) == (True, "high")
    assert result.memory_growth_mb == pytest.approx(30)
    assert result.memory_growth_percent == pytest.approx(30)
    assert result.object_count_growth == 0
    assert result.timestamp == START + 9 * 60


@pytest.mark.parametrize(
    "readings",
    [
        [500.0] * 10,
        [500 + 3 * math.sin(index) for index in range(60)],
        [500 + 40 * (index % 6) for index in range(60)],
        [500 + 100 * (1 - math.exp(-index / 6)) for index in range(60)],
        [500.0] * 30 + [600.0] * 30,
        [900 - 10.0 * index for index in range(30)],
    ],
    ids=["flat", "breathing", "sawtooth", "warm-up", "one step", "shrinking"],
)
def test_what_is_no_leak_is_not_reported(readings: list[float]) -> None:
    result = fed(snapshots(readings)).detect_leak()

    assert (result.leak_detected, result.severity) == (False, "none")


def test_growth_that_is_a_fact_is_named_where_no_leak_was_shown() -> None:
    """One step of 100 MB: growth, and no leak."""
    result = fed(snapshots([500.0] * 30 + [600.0] * 30)).detect_leak()

    assert (result.memory_growth_mb, result.memory_growth_percent) == (100, 20)


def test_the_engine_alone_judges() -> None:
    """The details hold word for word what `assess_series` returns for the same bytes and seconds."""
    given = snapshots(ramp(15, start_mb=200, n=20))
    verdict = assess_series(
        [snapshot.timestamp for snapshot in given],
        [snapshot.current_mb * 2**20 for snapshot in given],
        thresholds=DEFAULT_THRESHOLDS.from_first_evidence(),
    )

    details = fed(given).detect_leak().details

    assert details["verdict"]["slope_bytes_per_s"] == verdict.slope_bytes_per_s
    assert (details["shape"], details["verdict"]["severity"]) == (verdict.shape, verdict.severity)
    assert details["sentence"] == verdict.sentence


def test_a_leak_below_the_thresholds_is_shown_and_not_reported() -> None:
    """5 MB and 0.5 percent, where the policy asks for 10 MB or 20 percent."""
    result = fed(snapshots(ramp(5))).detect_leak()

    assert (result.leak_detected, result.severity) == (False, "low")
    assert result.details["verdict"]["is_leak"] is True
    assert result.details["sentence"].endswith(" It is below the thresholds of the policy.")


@pytest.mark.parametrize(
    ("growth_mb", "sensitivity", "detected"),
    [
        (4.9, "high", False),
        (5.1, "high", True),
        (9.9, "medium", False),
        (10.1, "medium", True),
        (19.9, "low", False),
        (20.1, "low", True),
    ],
)
def test_sensitivity_halves_or_doubles_the_threshold_of_10_mb(
    growth_mb: float, sensitivity: str, detected: bool
) -> None:
    assert fed(snapshots(ramp(growth_mb)), sensitivity=sensitivity).detect_leak().leak_detected is detected


@pytest.mark.parametrize(("growth_mb", "detected"), [(2.9, False), (3.1, True)])
def test_the_threshold_in_mb_acts(growth_mb: float, detected: bool) -> None:
    result = fed(snapshots(ramp(growth_mb)), thresholds={"memory_growth_mb": 3}).detect_leak()

    assert result.leak_detected is detected


@pytest.mark.parametrize(("growth_mb", "detected"), [(2.4, False), (2.6, True)])
def test_the_threshold_in_percent_acts(growth_mb: float, detected: bool) -> None:
    """25 percent of 10 MB are 2.5 MB, well below the threshold of 10 MB."""
    result = fed(snapshots(ramp(growth_mb, start_mb=10)), thresholds={"memory_growth_percent": 25}).detect_leak()

    assert result.leak_detected is detected


@pytest.mark.parametrize(("growth", "detected"), [(900, False), (1100, True)])
def test_objects_that_grow_steadily_are_a_leak_where_the_memory_is_flat(growth: int, detected: bool) -> None:
    counts = [10_000 + growth * index // 9 for index in range(10)]

    result = fed(snapshots([500.0] * 10, objects=counts)).detect_leak()

    assert (result.leak_detected, result.severity) == ((True, "medium") if detected else (False, "none"))
    assert result.object_count_growth == growth


def test_the_threshold_of_objects_acts_with_the_sensitivity() -> None:
    counts = [10_000 + 120 * index // 9 for index in range(10)]
    given = snapshots([500.0] * 10, objects=counts)

    assert fed(given, thresholds={"object_count_growth": 100}).detect_leak().leak_detected
    assert not fed(given, thresholds={"object_count_growth": 100}, sensitivity="low").detect_leak().leak_detected


def test_objects_that_come_and_go_are_no_leak() -> None:
    counts = [10_000 + 3_000 * (index % 4) for index in range(40)]

    assert not fed(snapshots([500.0] * 40, objects=counts)).detect_leak().leak_detected


def test_the_sentence_tells_of_the_objects() -> None:
    counts = [10_000 + 200 * index for index in range(10)]
    result = fed(snapshots([500.0] * 10, objects=counts)).detect_leak()

    assert result.details["sentence"].endswith(" The number of objects grew steadily, by +1800.")


def test_detection_that_is_off_detects_nothing_and_says_so() -> None:
    result = fed(snapshots(ramp(500)), enabled=False).detect_leak()

    assert (result.leak_detected, result.severity) == (False, "none")
    assert result.memory_growth_mb == pytest.approx(500)
    assert result.details["enabled"] is False
    assert result.details["sentence"] == "Leak detection is not enabled in the policy."


def test_only_the_latest_snapshots_are_kept() -> None:
    detector = fed(snapshots([0.0, *[500.0] * 7]), snapshot_retention_count=7)

    assert len(detector.snapshots) == 7
    assert detector.detect_leak().memory_growth_mb == 0


def test_the_default_policy_keeps_ten() -> None:
    detector = MemoryLeakDetector({})
    for snapshot in snapshots(ramp(10, n=25)):
        detector.add_snapshot(snapshot)

    assert detector.detect_leak().details["n_snapshots"] == 10


@pytest.mark.parametrize(
    ("n", "missing"),
    [
        (0, "5 more samples: 0 of at least 5 are there"),
        (1, "4 more samples: 1 of at least 5 are there"),
        (4, "1 more sample: 4 of at least 5 are there"),
    ],
)
def test_too_few_snapshots_say_what_is_missing(n: int, missing: str) -> None:
    result = fed(snapshots(ramp(100)[:n])).detect_leak()

    assert (result.leak_detected, result.severity) == (False, "none")
    assert (result.details["shape"], result.details["missing"]) == ("inconclusive", missing)
    assert result.details["n_snapshots"] == n


def test_without_snapshots_the_time_is_that_of_the_question() -> None:
    result = MemoryLeakDetector({}, clock=lambda: 77.0).detect_leak()

    assert (result.timestamp, result.memory_growth_mb, result.memory_growth_percent) == (77.0, 0.0, 0.0)


def test_the_order_of_arrival_does_not_matter() -> None:
    given = snapshots(ramp(40, start_mb=100), objects=[10_000 + 300 * index for index in range(10)])
    shuffled = [given[index] for index in (3, 9, 0, 5, 1, 8, 2, 7, 4, 6)]

    assert fed(shuffled).detect_leak() == fed(given).detect_leak()
    assert fed(shuffled).analyze_trend() == fed(given).analyze_trend()


def test_of_snapshots_at_one_moment_the_last_counts() -> None:
    given = snapshots(ramp(40, start_mb=100))
    doubled = [
        twin
        for snapshot in given
        for twin in (MemorySnapshot(snapshot.timestamp, snapshot.current_mb - 50, 0, 10_000), snapshot)
    ]

    assert fed(doubled).detect_leak().details["verdict"] == fed(given).detect_leak().details["verdict"]


def test_slopes_follow_the_monotonic_clock_where_it_is_known() -> None:
    """The wall clock is set back by an hour in the middle; the growth is 1 MB a second all the same."""
    detector = fed(
        MemorySnapshot(START + index - 3600 * (index >= 5), 100.0 + index, 0, 10_000, elapsed_s=float(index))
        for index in range(10)
    )
    trend = detector.analyze_trend()

    assert trend is not None
    assert (trend.direction, trend.duration_seconds, trend.total_growth_mb) == ("increasing", 9, 9)
    assert trend.rate_mb_per_second == pytest.approx(1)


def test_the_wall_clock_counts_where_one_snapshot_has_no_other() -> None:
    given = snapshots(ramp(9, n=10), step_s=1)
    first = MemorySnapshot(START, 1000.0, 0, 10_000, elapsed_s=5e6)

    trend = fed([first, *given[1:]]).analyze_trend()

    assert trend is not None
    assert trend.duration_seconds == 9


@pytest.mark.parametrize("n", [0, 1, 2])
def test_below_three_snapshots_there_is_no_trend(n: int) -> None:
    assert fed(snapshots(ramp(100)[:n])).analyze_trend() is None


def test_three_snapshots_of_one_moment_are_no_trend() -> None:
    assert fed([MemorySnapshot(START, mb, mb, 1) for mb in (1.0, 2.0, 3.0)]).analyze_trend() is None


@pytest.mark.parametrize(
    ("readings", "direction", "rate"),
    [
        ([100.0, 130.0, 160.0], "increasing", 0.5),
        ([160.0, 130.0, 100.0], "decreasing", -0.5),
        ([100.0, 100.0, 100.0], "stable", 0.0),
        ([100.0, 100.001, 100.002], "stable", 0.001 / 60),
        ([100 + 6.0 * index for index in range(30)], "increasing", 0.1),
        ([500 - 6.0 * index for index in range(30)], "decreasing", -0.1),
    ],
)
def test_a_trend_has_direction_and_rate(readings: list[float], direction: str, rate: float) -> None:
    """A snapshot a minute: 30 MB a step are 0.5 MB a second. A kilobyte is within the drift of an allocator."""
    trend = fed(snapshots(readings)).analyze_trend()

    assert trend is not None
    assert trend.direction == direction
    assert trend.rate_mb_per_second == pytest.approx(rate)
    assert trend.total_growth_mb == pytest.approx(readings[-1] - readings[0])
    assert trend.duration_seconds == 60 * (len(readings) - 1)


def test_noise_is_a_stable_trend() -> None:
    noise = np.random.default_rng(1).normal(500, 5, 50)

    trend = fed(snapshots(noise.tolist())).analyze_trend()

    assert trend is not None
    assert trend.direction == "stable"


@pytest.mark.parametrize("unknown", [math.nan, None])
def test_unknown_readings_are_left_out_and_not_zero(unknown: Any) -> None:
    readings: list[Any] = ramp(30, start_mb=100, n=12)
    readings[0] = readings[6] = unknown

    result = fed(snapshots(readings)).detect_leak()

    assert result.leak_detected
    assert result.memory_growth_mb == pytest.approx(30 * 10 / 11)


def test_growth_of_what_is_all_unknown_is_unknown() -> None:
    detector = fed(snapshots([math.nan] * 6))

    assert math.isnan(detector.detect_leak().memory_growth_mb)
    assert math.isnan(detector.detect_leak().memory_growth_percent)
    assert detector.analyze_trend() is None


def test_growth_from_nothing_is_infinite_in_percent() -> None:
    assert fed(snapshots(ramp(30, start_mb=0))).detect_leak().memory_growth_percent == math.inf
