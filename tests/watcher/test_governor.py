"""The purse: 5 % of the time, never more than a minute of it at once, and dear things wait until they are paid."""

import pytest

from memanalysis.watcher.governor import CostGovernor


@pytest.fixture
def cpu():
    return [0.0]


@pytest.fixture
def governor(hand_clock, cpu):
    return CostGovernor(0.05, clock=hand_clock, cpu_time=lambda: cpu[0])


def test_the_purse_fills_with_five_percent_of_the_time(governor, hand_clock):
    hand_clock.go(20)

    assert governor.read_purse() == pytest.approx(1.0)


def test_an_hour_of_quiet_saves_no_more_than_a_minute_of_it(governor, hand_clock):
    hand_clock.go(3600)

    assert governor.read_purse() == pytest.approx(3.0)


def test_what_was_spent_must_come_in_before_more_is_spent(governor, hand_clock, cpu):
    hand_clock.go(20)
    cpu[0] = 20.0  # one processor busy all the time
    governor.pay(2.0)

    assert governor.choose_window_s(shortest=0.2, longest=5) is None
    hand_clock.go(30)
    cpu[0] = 50.0
    assert governor.choose_window_s(shortest=0.2, longest=5) == pytest.approx((1.0 - 2.0 + 1.5) / 2 / 0.9)


def test_an_idle_program_may_be_traced_for_longer_once_it_is_known_to_stay_idle(governor, hand_clock, cpu):
    hand_clock.go(60)
    cpu[0] = 3.0  # a twentieth of a processor, and 20 times as much if tracing slows it as far as it may

    assert governor.choose_window_s(shortest=0.2, longest=5) == pytest.approx(3.0 / 2 / 0.9)
    governor.pay_window(1.5, process_s=0.1, own_s=0.0)
    assert governor.choose_window_s(shortest=0.2, longest=5) == 5


def test_three_windows_in_a_row_can_be_paid_by_a_program_that_tracing_slows(governor, hand_clock, cpu):
    """A service that took a twelfth of a processor takes all of it while it is traced."""
    hand_clock.go(40)
    cpu[0] = 40 / 12
    taken = []
    for _ in range(3):
        hand_clock.go(1.0)
        seconds = governor.choose_window_s(shortest=0.2, longest=5)
        assert seconds is not None, taken
        taken.append(seconds)
        hand_clock.go(seconds)
        governor.pay_window(seconds, process_s=seconds, own_s=0.02)

    assert taken == sorted(taken, reverse=True)


def test_a_window_costs_nearly_all_that_the_program_took_in_it(governor):
    assert governor.pay_window(1.0, process_s=1.0, own_s=0.2) == pytest.approx(0.2 + 0.9 * 0.8)


def test_cheap_ticks_keep_their_interval_and_dear_ones_are_spread(governor):
    assert governor.choose_pace(0.00005, 1.0) == 1.0
    for _ in range(200):
        pace = governor.choose_pace(0.2, 1.0)
    assert pace == pytest.approx(4.0, rel=0.01)


def test_windows_of_a_busy_program_stay_under_the_ceiling(governor, hand_clock, cpu):
    """An hour of a program that takes a whole processor, with windows as often as they can be paid."""
    for _ in range(3600):
        hand_clock.go(1.0)
        cpu[0] += 1.0
        seconds = governor.choose_window_s(shortest=0.2, longest=5)
        if seconds is not None:
            hand_clock.go(seconds)
            cpu[0] += seconds
            governor.pay_window(seconds, process_s=seconds, own_s=0.05)

    elapsed_s = hand_clock.monotonic() - 1000.0
    assert 0.04 < governor.spent_s / elapsed_s <= 0.051
