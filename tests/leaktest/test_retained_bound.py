"""How much a call keeps at most, from rises that are never given back."""

import numpy as np
import pytest
from scipy.stats import chi2

from memanalysis.leaktest.retained_bound import bound_events, bound_retained

CALLS = [round(125 * 2 ** (step / 4)) for step in range(13)]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20, 100])
def test_the_bound_of_events_is_that_of_poissons_distribution(count: int):
    """The exact limit is half a quantile of the chi-squared distribution (Garwood 1936)."""
    assert bound_events(count) == pytest.approx(chi2.ppf(0.99, 2 * (count + 1)) / 2, rel=0.005)


def test_what_does_not_grow_keeps_nothing():
    bound = bound_retained(CALLS, [7.0] * len(CALLS))

    assert (bound.retained, bound.max_per_call, bound.spread) == (0, 0, 0)


def test_a_rise_that_is_given_back_is_not_kept():
    levels = [0.0, 0, 500, 0, 0, 900, 900, 0, 0, 100, 0, 0, 0]

    assert bound_retained(CALLS, levels).max_per_call == 0


def test_a_steady_leak_lies_under_its_bound():
    bound = bound_retained(CALLS, [10.0 * calls for calls in CALLS])

    assert bound.retained == 10 * (CALLS[-1] - CALLS[0])
    assert 10 < bound.max_per_call < 40


def test_one_rise_may_come_again_unless_it_is_left_out():
    levels = [0.0] * 6 + [5_000.0] * 7
    span = CALLS[-1] - CALLS[0]

    assert bound_retained(CALLS, levels).max_per_call == pytest.approx(5_000 * 6.64 / span, rel=0.01)
    without = bound_retained(CALLS, levels, without_step=True)
    assert (without.max_per_call, without.step, without.spread) == (0, 5_000, 0)


def test_the_bound_holds_a_rare_leak_in_99_of_100_runs():
    """Each call keeps 1,000 bytes with a probability of 1 %: 10 bytes a call."""
    rng = np.random.default_rng(9)
    missed = 0
    for _ in range(1_000):
        leaked = np.cumsum(rng.random(CALLS[-1] + 1) < 0.01)
        missed += bound_retained(CALLS, [1_000.0 * leaked[calls] for calls in CALLS]).max_per_call < 10

    assert missed <= 20


def test_readings_far_apart_are_bounded_by_their_lows():
    levels = [0.0, 9e4, 100, 9e4, 0, 9e4, 8e4, 50, 9e4, 0, 9e4, 9e4, 9e4]
    bound = bound_retained(CALLS, levels)

    assert bound.find_bound(max_spread=1e3) == bound.baseline_per_call < 1
    assert bound.find_bound(max_spread=1e6) == bound.max_per_call > 100


def test_lows_that_rise_are_in_the_bound():
    levels = [20.0 * calls + (9e4 if place % 2 else 0) for place, calls in enumerate(CALLS)]

    assert bound_retained(CALLS, levels).baseline_per_call >= 20


def test_without_falls_the_lows_bound_nothing():
    assert bound_retained(CALLS, [float(calls) for calls in CALLS]).baseline_per_call == float("inf")


def test_of_one_reading_nothing_is_bounded():
    assert bound_retained([5.0], [1.0]).max_per_call == float("inf")
