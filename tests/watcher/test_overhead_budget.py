"""The overhead budget: the share holds over the run and over every ten seconds, whatever is spent and when."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.watcher.overhead_budget import STRETCH_S, OverheadBudget


@pytest.fixture
def budget(hand_clock):
    return OverheadBudget(0.05, clock=hand_clock)


class SteppedClock:
    """Time that goes only when it is moved."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def test_five_percent_of_the_first_seconds_less_a_tenth_are_available(budget, hand_clock):
    hand_clock.go(6)

    assert budget.available_s() == pytest.approx(0.27)


def test_an_hour_of_quiet_saves_no_more_than_ten_seconds_of_it(budget, hand_clock):
    hand_clock.go(3600)

    assert budget.available_s() == pytest.approx(0.45)


def test_what_was_spent_is_available_again_after_ten_seconds(budget, hand_clock):
    hand_clock.go(60)
    budget.spend(0.4)

    hand_clock.go(9.9)
    assert budget.available_s() == pytest.approx(0.05)
    hand_clock.go(0.3)
    assert budget.available_s() == pytest.approx(0.45)


def test_more_than_the_share_of_the_run_is_not_spent_however_quiet_the_last_seconds_were(budget, hand_clock):
    budget.spend(2.0)
    hand_clock.go(30)

    assert budget.available_s() == pytest.approx(0.045 * 30 - 2.0)


def test_what_is_set_aside_for_the_end_is_not_available(budget, hand_clock):
    budget.reserve(0.4)
    hand_clock.go(9)

    assert budget.available_s() == pytest.approx(0.405 - 0.4)


def test_cheap_ticks_keep_their_interval_and_expensive_ones_take_half_of_the_share(budget):
    assert budget.choose_pace(0.00005, 1.0) == 1.0
    for _ in range(200):
        pace = budget.choose_pace(0.2, 1.0)
    assert pace == pytest.approx(0.2 / (0.5 * 0.05), rel=0.01)
    assert budget.max_expense_s == pytest.approx(0.9 * (0.45 - 0.25), rel=0.01)


@pytest.mark.parametrize(("n_workers", "pace"), [(1, 1.0), (4, 1.0), (8, 1.0), (100, 12.5)])
def test_ticks_of_all_workers_of_a_server_take_two_thousandths_of_a_processor(budget, n_workers, pace):
    """A tick of 0.25 ms once a second: of 8 workers 2 ms a second, which is the most."""
    budget.n_workers = n_workers
    for _ in range(200):
        found = budget.choose_pace(0.00025, 1.0)

    assert found == pytest.approx(pace, rel=0.01)
    assert budget.is_slowed_for_server is (pace > 1)


def test_one_of_many_workers_rests_for_long_after_what_costs_much(budget):
    assert budget.rest_as_worker_s(0.01) == 0
    budget.n_workers = 8
    assert budget.rest_as_worker_s(0.01) == pytest.approx(40)  # 0.2 % of a processor for all
    budget.n_workers = 400
    assert budget.rest_as_worker_s(0.01) == pytest.approx(4000 / 1.02)  # 0.102 %


def test_a_hundred_workers_take_turns_one_after_another(budget, monkeypatch):
    assert budget.wait_for_turn_s(0.01) == 0  # no worker
    budget.n_workers = 100
    waits = []
    for pid in range(40_000, 40_100):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        waits.append(budget.wait_for_turn_s(0.01))
    waits.sort()

    assert 0 <= waits[0] < 20
    assert 900 < waits[-1] < 1 / 0.00108  # all wait 926 s then, at 0.108 % of a processor for all
    assert max(later - earlier for earlier, later in pairwise(waits)) < 20


def test_what_it_remembers_has_a_bound(budget, hand_clock):
    for _ in range(20_000):
        hand_clock.go(0.003)
        budget.spend(0.0001)

    assert len(budget._recent) <= STRETCH_S / 0.1 + 1


steps = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),  # seconds until the next wish
        st.floats(0.0, 1.0),  # what is wished for, as a part of all that is available
        st.floats(0.0, 0.3),  # how far the estimate is off, as a part of it
        st.floats(0.0, 5.0),  # how long it takes
    ),
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(steps=steps, share=st.sampled_from([0.01, 0.05, 0.5]))
def test_no_ten_seconds_and_no_run_exceed_the_share_by_more_than_one_estimate_is_off(steps, share):
    clock = SteppedClock()
    budget = OverheadBudget(share, clock=clock)
    spent = []
    worst_error_s = 0.0
    for pause_s, part, error, takes_s in steps:
        clock.now += pause_s
        wanted_s = part * budget.available_s()
        if wanted_s <= 0:
            continue
        clock.now += takes_s
        cost_s = wanted_s * (1 + error)
        worst_error_s = max(worst_error_s, cost_s - wanted_s)
        budget.spend(cost_s)
        spent.append((clock.now, cost_s))

    for ended, _ in spent:
        in_stretch = sum(cost for at, cost in spent if ended - STRETCH_S < at <= ended)
        assert in_stretch <= share * STRETCH_S + worst_error_s + 1e-9
        in_run = sum(cost for at, cost in spent if at <= ended)
        assert in_run <= share * (ended - 1000.0) + worst_error_s + 1e-9
