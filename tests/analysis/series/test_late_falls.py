"""What comes after a far fall in the last three samples is not judged yet, live and afterwards."""

import numpy as np
import pytest

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


def cut(values: np.ndarray) -> int:
    stops = cut_late_falls(
        values, starts=np.array([0]), stops=np.array([values.size]), thresholds=DEFAULT_THRESHOLDS.series
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
