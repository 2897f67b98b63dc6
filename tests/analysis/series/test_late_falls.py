"""What comes after a far fall in the last three samples is not judged yet, live and afterwards."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.series.late_falls import cut_late_falls
from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.units import MIB

T = np.arange(80.0)


def end_with(last: list[float], *, n: int = 76) -> np.ndarray:
    """A leak of 0.2 MiB a sample after 100 MiB, and what follows it."""
    noise = np.random.default_rng(n).normal(0, 0.02, n)
    return np.append(100 + 0.2 * T[:n] + noise, last)


def cut(values: np.ndarray, *, weights: np.ndarray | None = None, **numbers: int) -> int:
    stops = cut_late_falls(
        values,
        starts=np.array([0]),
        stops=np.array([values.size]),
        weights=weights,
        thresholds=replace(DEFAULT_THRESHOLDS.series, **numbers),
    )
    return int(stops[0])


@pytest.mark.parametrize("last", [[100.0], [101.0, 100.0], [114.0, 103.0, 100.0], [100.0, 100.0, 100.0]])
def test_a_leak_that_is_freed_as_its_program_ends_stays_a_leak(last: list[float]) -> None:
    values = end_with(last)

    assert cut(values) <= 76
    assert assess_series(T[: values.size], values * MIB).is_leak


def test_once_more_samples_follow_the_fall_is_judged() -> None:
    values = end_with([100.0, 100.1, 100.0, 100.1])

    assert cut(values) == values.size
    assert not assess_series(T, values * MIB).is_leak


def test_what_does_not_fall_far_or_comes_back_is_judged_whole() -> None:
    for values in (
        end_with([]),
        end_with([115.0, 110.0]),  # by less than half of what grew
        end_with([100.0, 115.4]),  # back at once
        end_with([100.0], n=20),  # too short to be a leak
        np.tile([100.0, 101.0, 99.0, 100.5], 19),  # as it always does
        np.full(76, 100.0),
        np.append(np.full(73, 100.0), [150.0, 150.0, 100.0]),  # a spike
    ):
        assert cut(values) == values.size


def test_each_series_of_a_batch_has_its_own_end() -> None:
    values = [end_with([100.0]), end_with([]), end_with([101.0, 100.0])]
    stops = np.cumsum([each.size for each in values])
    starts = stops - [each.size for each in values]

    found = cut_late_falls(np.concatenate(values), starts=starts, stops=stops, thresholds=DEFAULT_THRESHOLDS.series)

    assert (found - starts).tolist() == [76, 76, 76]


def test_live_and_afterwards_are_one_verdict() -> None:
    live = LiveSeries()
    values = end_with([101.0, 100.0, 100.0, 100.0, 100.0]) * MIB
    for n, (second, value) in enumerate(zip(np.arange(values.size, dtype=float), values, strict=True), start=1):
        live.add(float(second), float(value))
        if n > 74:
            assert live.judge() == assess_series(np.arange(n, dtype=float), values[:n])


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10_000), n=st.integers(35, 400), left=st.integers(0, 12), slope=st.floats(-0.5, 1.0))
def test_live_and_afterwards_are_one_verdict_also_where_points_are_folded(
    seed: int, n: int, left: int, slope: float
) -> None:
    rng = np.random.default_rng(seed)
    levels = 100 + slope * np.arange(n) + rng.normal(0, rng.uniform(0, 2), n)
    values = np.clip(np.append(levels, 100 + rng.normal(0, 0.1, left)), 0, None) * MIB
    few = replace(DEFAULT_THRESHOLDS, series=replace(DEFAULT_THRESHOLDS.series, max_points_kept=90))
    live = LiveSeries(thresholds=few)
    for second, value in enumerate(values.tolist()):
        live.add(float(second), value)

    assert live.judge() == assess_series(np.arange(values.size, dtype=float), values, thresholds=few)


def test_points_that_stand_for_more_samples_are_judged() -> None:
    values = end_with([100.0, 100.0])
    weights = np.ones(values.size, dtype=np.int64)

    assert cut(values, weights=weights) == 76
    weights[-2] = 3
    assert cut(values, weights=weights) == values.size


def test_the_level_and_the_forecast_are_those_after_the_fall() -> None:
    values = end_with([100.0, 100.0])
    verdict = assess_series(T[: values.size], values * MIB, limit_bytes=116 * MIB)

    assert verdict.is_leak
    assert verdict.latest_bytes == 100 * MIB
    assert verdict.time_to_exhaustion_s == pytest.approx(16 / 0.2, rel=0.1)


@pytest.mark.parametrize("n", range(3, 14))
def test_no_number_of_samples_fails(n: int) -> None:
    values = np.append(np.arange(100.0, 100 + n - 1), 50.0)

    assert cut(values, min_samples_of_a_leak=3) in (n - 1, n)
    assert cut(values, min_samples_of_a_leak=3, late_fall_samples=0) == n
