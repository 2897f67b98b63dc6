"""The level of a run is its mean, and its error is what levels of such runs scatter by, whatever the samples are."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from memanalysis.analysis.run_levels import combine_freedom, measure_level
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

Draw = Callable[[np.random.Generator, int], np.ndarray]
RUNS = 300


def two_sizes(rng: np.random.Generator, n: int) -> np.ndarray:
    return 40.0 * (rng.random(n) < 0.5)


def rare_batches(rng: np.random.Generator, n: int) -> np.ndarray:
    return 40.0 * (rng.random(n) < 0.2)


def steady_noise(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=n)


def like_the_one_before(rng: np.random.Generator, n: int) -> np.ndarray:
    """AR(1) noise with 0.8 of the sample before."""
    values = np.empty(n)
    values[0] = rng.normal() / 0.6
    for place in range(1, n):
        values[place] = 0.8 * values[place - 1] + rng.normal()
    return values


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 240])
@pytest.mark.parametrize("draw", [two_sizes, rare_batches, steady_noise, like_the_one_before])
def test_levels_scatter_by_their_errors(draw: Draw, n: int) -> None:
    """Of 300 runs at most 8 % lie beyond the 95 % interval of Student's t, which is 2.4 standard errors more than 5 %;
    and the error is no more than half as large again as the scatter."""
    rng = np.random.default_rng(11)
    found = [measure_level(np.arange(n, dtype=float), draw(rng, n), DEFAULT_THRESHOLDS) for _ in range(RUNS)]
    levels, errors, freedoms = np.array([(level.shift, level.error, level.freedom) for level in found if level]).T
    expected = {two_sizes: 20.0, rare_batches: 8.0}.get(draw, 0.0)

    assert levels.size == RUNS
    assert levels.mean() == pytest.approx(expected, abs=4 * levels.std() / np.sqrt(RUNS))
    assert np.mean(np.abs(levels - expected) > stats.t.ppf(0.975, freedoms) * errors) <= 0.08
    assert np.median(errors) < 1.5 * levels.std()


def test_a_step_after_the_start_is_left_out() -> None:
    """The first quarter lies 30 lower: two of eight blocks, of a level that the run left."""
    rest = np.random.default_rng(3).normal(size=200) - 30.0 * (np.arange(200) < 50)
    level = measure_level(np.arange(200.0), rest, DEFAULT_THRESHOLDS)

    assert level is not None
    assert level.shift == pytest.approx(0, abs=0.3)
    assert level.error < 0.3


def test_a_level_that_moves_in_a_few_steps_is_known_from_as_few_values() -> None:
    """Three sizes a third of the time each, 10 apart: they scatter by 8.2, and hardly three values are independent."""
    level = measure_level(np.arange(90.0), np.repeat([0.0, 10.0, 20.0], 30), DEFAULT_THRESHOLDS)

    assert level is not None
    assert level.shift == pytest.approx(10)
    assert level.error > 8.2 / np.sqrt(3)
    assert level.freedom < 3


def test_too_few_samples_have_no_batches() -> None:
    assert measure_level(np.arange(19.0), np.zeros(19), DEFAULT_THRESHOLDS) is None
    assert measure_level(np.arange(20.0), np.zeros(20), DEFAULT_THRESHOLDS) is not None


def test_what_is_no_trend_is_part_of_the_error() -> None:
    rest = np.random.default_rng(5).normal(size=80)
    still, moved = (
        measure_level(np.arange(80.0), rest, DEFAULT_THRESHOLDS, drift=slope * (np.arange(80.0) - 39.5))
        for slope in (0.0, 0.1)
    )
    assert still is not None
    assert moved is not None
    assert moved.shift == pytest.approx(still.shift)
    assert moved.error > 2 * still.error


def test_a_part_that_is_known_adds_degrees_of_freedom() -> None:
    """Satterthwaite: a quarter of the variance has 3 degrees of freedom, and the rest is known: 3 x 16."""
    found = combine_freedom(np.array([1.0, 1.0, 0.0]), np.array([3.0, 3.0, 3.0]), np.array([4.0, 1.0, 1.0]))

    assert found.tolist() == [48.0, 3.0, 1000.0]
