"""What the checks of a session may take: a clock handed in, and tracing that ends at a deadline."""

import gc
import tracemalloc

import pytest

from memanalysis.capture.tracing import TracingUse
from memanalysis.suite.check_allowance import CheckAllowance, CheckDeadline


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def use_up(allowance: CheckAllowance, clock: Clock, *, first_run_s: float = 0.0) -> float | None:
    """Check until the deadline, and return what that took; None where no check begins."""
    began_s = clock.now_s
    with allowance.check(first_run_s) as deadline:
        if deadline is None:
            return None
        while not deadline.is_over():
            clock.now_s += 0.5
    return clock.now_s - began_s


def test_one_check_has_half_of_what_is_left_of_twenty_seconds():
    clock = Clock()
    allowance = CheckAllowance(clock)
    allowance.begin()

    assert [use_up(allowance, clock) for _ in range(3)] == [10.0, 5.0, 2.5]


def test_a_long_suite_has_half_as_much_time_again_for_its_checks():
    """After 100 s of tests all checks may take 150 s; what they took is no time of the suite."""
    clock = Clock()
    allowance = CheckAllowance(clock)
    allowance.begin()
    clock.now_s += 100.0

    assert [use_up(allowance, clock) for _ in range(2)] == [75.0, 37.5]
    clock.now_s += 20.0
    allowance.begin()
    assert use_up(allowance, clock) == pytest.approx((180.0 - 112.5) / 2, abs=0.5)


def test_a_check_without_time_for_three_runs_is_not_begun():
    clock = Clock()
    allowance = CheckAllowance(clock)
    allowance.begin()

    assert use_up(allowance, clock, first_run_s=3.5) is None
    assert use_up(allowance, clock, first_run_s=3.0) == 10.0


def test_a_deadline_ends_tracing_amid_a_run():
    clock = Clock()
    tracing = TracingUse(trace_limit=1)
    deadline = CheckDeadline(clock.now_s + 5.0, read_s=clock)
    before = list(gc.callbacks)
    tracing.start()
    with deadline.ends(tracing):
        gc.collect()
        assert tracemalloc.is_tracing()
        clock.now_s += 5.0
        gc.collect()
        assert not tracemalloc.is_tracing()

    assert gc.callbacks == before
    assert deadline.is_over()


def test_a_deadline_leaves_tracing_that_was_there():
    tracemalloc.start()
    try:
        tracing = TracingUse(trace_limit=1)
        tracing.start()
        with CheckDeadline(0.0, read_s=Clock()).ends(tracing):
            gc.collect()
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
