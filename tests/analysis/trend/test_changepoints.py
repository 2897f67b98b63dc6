"""Where levels change: against all cuts tried one by one, and series whose steps are known."""

import numpy as np
import pytest

from memanalysis.analysis.thresholds import LevelChangeThresholds
from memanalysis.analysis.trend.changepoints import are_stepped, find_level_changes


def test_changes_are_found_where_the_levels_change_and_the_rest_is_the_end():
    two = np.repeat([0.0, 5.0, 1.0], 10)
    none = np.zeros(30)

    assert find_level_changes(np.stack([two, none])).tolist() == [[10, 20, 30], [30, 30, 30]]


@pytest.mark.parametrize("seed", range(10))
def test_the_best_single_cut_is_that_of_least_squares_over_all_cuts(seed):
    rng = np.random.default_rng(seed)
    levels = rng.normal(size=40) + 3 * (np.arange(40) >= rng.integers(5, 35))
    cuts = range(3, 38)  # no piece is shorter than three
    errors = [cut * levels[:cut].var() + (40 - cut) * levels[cut:].var() for cut in cuts]
    found = find_level_changes(levels[None], thresholds=LevelChangeThresholds(max_changes=1))

    assert found[0, 0] == cuts[int(np.argmin(errors))]


@pytest.mark.parametrize(
    ("levels", "stepped"),
    [
        (np.repeat([0.0, 10.0], 20), True),
        (np.repeat([0.0, 10.0, 20.0, 5.0], 10), True),
        (np.repeat([0.0, 10.0, 0.0, 10.0, 0.0, 10.0, 0.0, 10.0], 5), False),  # seven jumps
        (np.arange(40.0), False),  # a ramp
        (np.where(np.arange(40) == 20, 10.0, 0.0), False),  # a spike
        (np.zeros(40), False),
    ],
    ids=["one step", "three steps", "seven steps", "ramp", "spike", "flat"],
)
def test_a_few_sudden_jumps_are_steps_and_nothing_else_is(levels, stepped):
    assert are_stepped(levels[None]).tolist() == [stepped]


def test_a_step_that_takes_half_of_the_series_is_a_ramp():
    slow = np.concatenate([np.zeros(10), np.linspace(0, 10, 20), np.full(10, 10.0)])
    quick = np.concatenate([np.zeros(19), [3.0, 7.0], np.full(19, 10.0)])

    assert are_stepped(np.stack([slow, quick])).tolist() == [False, True]
