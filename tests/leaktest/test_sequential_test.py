"""Readings of calls that leak, and of calls that do not: what is decided, and how often wrongly."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.leaktest.sequential_test import (
    CHECK_RATIO,
    judge_calls,
    next_reading,
    rate_from_end_to_end,
    weigh_rises,
)

RUNS = 40


def grid(most: int) -> np.ndarray:
    calls = [1]
    while calls[-1] < most:
        calls.append(next_reading(calls[-1]))
    return np.array(calls, dtype=float)


CALLS = grid(200_000)


def decide(levels: np.ndarray, *, after: float = 1_000) -> bool | None:
    """The first decision after a number of calls, with checks half as many calls apart."""
    checked_at = 0.0
    for size in range(1, CALLS.size + 1):
        calls = CALLS[size - 1]
        if calls >= max(after, CHECK_RATIO * checked_at):
            checked_at = calls
            answer = judge_calls(CALLS[:size], levels[:size], min_per_call=1.0).is_leak
            if answer is not None:
                return answer
    return None


def test_readings_come_four_to_a_doubling():
    assert all(after > before for before, after in pairwise(CALLS))
    late = CALLS[CALLS > 100]
    assert np.diff(np.log2(late)) == pytest.approx(0.25, abs=0.01)


def test_a_steady_leak_is_measured_to_the_byte():
    growth = judge_calls(CALLS[:20], 1_000 + 64 * CALLS[:20], min_per_call=1)

    assert growth.is_leak is True
    assert (growth.low, growth.bytes_per_call, growth.high) == (64, 64, 64)


def test_a_still_level_is_no_leak():
    assert decide(np.full(CALLS.size, 5e6)) is False


@pytest.mark.slow
def test_the_staircase_of_a_list_is_a_leak():
    """As Python sizes a list: known from sys.getsizeof."""
    kept: list[None] = []
    levels = []
    for count in range(1, int(CALLS[-1]) + 1):
        kept.append(None)
        if count in CALLS:
            levels.append(sys.getsizeof(kept))
    assert decide(np.array(levels, dtype=float)) is True


@pytest.mark.parametrize("full_at", [100, 1_000, 4_000])
def test_a_cache_that_gets_full_is_no_leak(full_at: int):
    """Checked from four times as many calls on."""
    assert decide(100 * np.minimum(CALLS, full_at), after=4 * full_at) is False


def test_a_cache_of_random_keys_is_no_leak():
    """The expected number of different keys after n draws out of m is m (1 - (1 - 1 / m) ** n)."""
    assert decide(100 * 2_000 * (1 - (1 - 1 / 2_000) ** CALLS), after=6_000) is False


def test_a_leak_in_noise_is_found_and_measured():
    rng = np.random.default_rng(5)
    answers = [decide(10 * CALLS + rng.uniform(0, 1_000, CALLS.size)) for _ in range(20)]

    assert answers.count(True) >= 19


def test_a_leak_at_one_call_of_a_hundred_is_found():
    rng = np.random.default_rng(6)
    answers = []
    for _ in range(20):
        leaked = np.cumsum(rng.random(int(CALLS[-1]) + 1) < 0.01)
        answers.append(decide(1_000.0 * leaked[CALLS.astype(int)]))

    assert answers.count(False) == 0
    assert answers.count(True) >= 19


NOISE = {
    "white": lambda rng: rng.normal(0, 1_000, CALLS.size),
    "uniform": lambda rng: rng.uniform(0, 50_000, CALLS.size),
    "random walk by reading": lambda rng: np.cumsum(rng.normal(0, 1_000, CALLS.size)),
    "random walk by call": lambda rng: np.cumsum(rng.normal(0, 10, CALLS.size) * np.sqrt(CALLS)),
    "rare spikes": lambda rng: (rng.random(CALLS.size) < 0.1) * 100_000.0,
    "one step": lambda rng: 1e6 * (rng.uniform(1, 10_000) < CALLS),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOISE)
def test_noise_is_not_called_a_leak(name: str):
    rng = np.random.default_rng(7)
    alarms = sum(decide(NOISE[name](rng)) is True for _ in range(RUNS))

    assert alarms == 0


def test_the_stake_reaches_a_hundred_in_at_most_one_run_of_a_hundred():
    """Ville's inequality, on rises and falls that are as likely; one check after every reading."""
    rng = np.random.default_rng(8)
    won = 0
    for _ in range(300):
        walk = np.cumsum(rng.choice([-1.0, 1.0], CALLS.size)).tolist()
        calls = CALLS.tolist()
        won += any(weigh_rises(calls[:size], walk[:size]) >= 100 for size in range(2, CALLS.size + 1))

    assert won <= 3


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=60), st.floats(1, 1e6))
def test_a_constant_on_all_readings_changes_nothing(levels: list[float], more: float):
    calls = grid(10**6).tolist()[: len(levels)]
    whole = [float(round(level)) for level in levels]

    assert weigh_rises(calls, whole) == weigh_rises(calls, [level + round(more) for level in whole])


def test_readings_that_differ_by_less_than_the_tolerance_are_equal():
    calls = CALLS[:30].tolist()
    rising = [float(i) for i in range(30)]

    assert weigh_rises(calls, rising) > 100
    assert weigh_rises(calls, rising, tolerance=1.0) < 1


def test_of_no_reading_and_of_one_nothing_is_said():
    for size in (0, 1, 5):
        growth = judge_calls(CALLS[:size], CALLS[:size], min_per_call=1)
        assert (growth.is_leak, growth.shape, growth.bytes_per_call) == (None, "inconclusive", None)
    assert rate_from_end_to_end([1.0], [5.0]) == 0
