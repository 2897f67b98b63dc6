"""Each shape is called by its name, and what is no leak raises no alarm."""

import numpy as np
import pytest
from factories import Series, ar_noise, plateau, ramp, sawtooth, staircase, steps

from memanalysis.analysis.series.prepare import prepare_batch, prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import SHAPES
from memanalysis.units import KIB, MIB


def shape_of(series: Series) -> str:
    return str(SHAPES[classify_shapes(prepare_series(series.elapsed_s, series.values)).shape[0]])


@pytest.mark.parametrize(
    ("series", "shape"),
    [
        (ramp(slope=MIB, n=100, sigma=MIB), "growing"),
        (ramp(slope=10 * KIB, n=400, sigma=20 * KIB), "growing"),
        (ramp(slope=MIB, n=30), "growing"),
        (ramp(slope=MIB, n=29), "inconclusive"),
        (staircase(), "growing"),
        (sawtooth(slope=MIB), "growing"),
        (sawtooth(slope=0.2 * MIB, period=15), "growing"),
        (plateau(), "plateauing"),
        (steps(), "stepped"),
        (sawtooth(), "sawtooth"),
        (ramp(slope=0, n=100, sigma=MIB), "stable"),
        (ramp(slope=0, n=100), "stable"),
        (ramp(slope=-MIB / 4, n=100, start=200 * MIB, sigma=MIB), "shrinking"),
        (ramp(n=4), "inconclusive"),
        (ramp(n=1), "inconclusive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_shape_is_called_by_its_name(series, shape):
    assert shape_of(series) == shape


def test_a_baseline_that_rises_by_half_of_the_swings_above_it_is_a_leak_at_its_slope():
    series = sawtooth(slope=0.2 * MIB, period=15)
    verdict = assess_series(series.elapsed_s, series.values)

    assert verdict.low_bytes_per_s <= 0.2 * MIB <= verdict.high_bytes_per_s
    assert verdict.is_leak


def test_a_rise_that_slows_down_as_a_logarithm_is_no_leak():
    t = np.arange(300.0)
    assert shape_of(Series(t, 50 * MIB + 10 * MIB * np.log1p(t / 20), 0.0)) == "slowing"


def test_a_cache_that_is_nearly_full_is_no_leak():
    t = np.arange(300.0)
    assert shape_of(Series(t, 50 * MIB + 40 * MIB * (1 - np.exp(-t / 90)), 0.0)) == "plateauing"


def test_too_few_samples_say_how_many_more_are_needed():
    assert assess_series([0, 1, 2], [1, 2, 3]).evidence.missing == "2 more samples: 3 of at least 5 are there"


def test_growth_that_one_window_breaks_is_inconclusive_and_asks_for_a_longer_record():
    """Rises, rests, rises on: it grew on the whole, but not in each eighth of the 221 s after the warm-up."""
    t = np.arange(300.0)
    values = 50 * MIB + 0.2 * MIB * np.where(t < 150, t, np.where(t < 210, 150, t - 60))
    verdict = assess_series(t, values)

    assert verdict.shape == "inconclusive"
    assert verdict.evidence.missing == "a longer record: it grew on the whole, but not in each of 7 windows of 27.6 s"


@pytest.mark.slow
@pytest.mark.parametrize("lag_one", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [30, 150])
def test_noise_about_a_level_is_called_growing_at_most_once_in_fifty(lag_one, n):
    rng = np.random.default_rng(11)
    t = np.arange(float(n))
    alarms = sum(
        shape_of(Series(t, 100 * MIB + ar_noise(rng, n, lag_one=lag_one, sigma=5 * MIB), 0.0)) == "growing"
        for _ in range(200)
    )
    assert alarms <= 4


def test_small_leaks_under_noise_are_found():
    """Leaks of 8 noise widths over the record are found at least 19 times in 20."""
    rng = np.random.default_rng(12)
    t = np.arange(200.0)
    found = sum(
        shape_of(Series(t, 100 * MIB + 8 * MIB * t / 200 + ar_noise(rng, 200, lag_one=0.3, sigma=MIB), 0.0))
        == "growing"
        for _ in range(100)
    )
    assert found >= 95


def test_a_batch_says_of_each_series_what_is_said_of_it_alone():
    """Series of every shape and of different lengths, judged together and one by one."""
    rng = np.random.default_rng(4)
    noisy = Series(np.arange(90.0), 50 * MIB + ar_noise(rng, 90, lag_one=0.5, sigma=MIB), 0.0)
    several = [ramp(n=100), plateau(), steps(n=300), sawtooth(), noisy, ramp(n=3), staircase(n=40), ramp(n=1000)]
    batch = prepare_batch(
        np.repeat(np.arange(len(several)), [series.values.size for series in several]),
        np.concatenate([series.elapsed_s for series in several]),
        np.concatenate([series.values for series in several]),
        n_series=len(several),
    )
    together = classify_shapes(batch)

    for i, series in enumerate(several):
        alone = classify_shapes(prepare_series(series.elapsed_s, series.values))
        assert together.shape[i] == alone.shape[0]
        assert np.array_equal(together.slope[i : i + 1], alone.slope, equal_nan=True)
        assert np.array_equal(together.weakest[i : i + 1], alone.weakest, equal_nan=True)
