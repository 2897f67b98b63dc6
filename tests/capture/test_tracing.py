"""Tracing is joined or started, ended by its last user, and left as it was found."""

import threading
import tracemalloc

import pytest

from memanalysis.capture.tracing import TracingUse
from memanalysis.errors import InvalidArgumentError


def test_tracing_that_was_off_is_on_between_start_and_stop():
    tracing = TracingUse(trace_limit=7)

    assert not tracemalloc.is_tracing()
    assert tracing.start() is True
    assert tracemalloc.is_tracing()
    assert tracemalloc.get_traceback_limit() == 7
    assert tracing.stop() is True
    assert not tracemalloc.is_tracing()


def test_stop_without_start_does_nothing_and_says_so():
    assert TracingUse().stop() is False


def test_a_second_stop_says_that_it_did_nothing():
    tracing = TracingUse()
    tracing.start()

    assert tracing.stop() is True
    assert tracing.stop() is False


def test_tracing_that_somebody_else_started_is_joined_and_left_running():
    tracemalloc.start(3)
    tracing = TracingUse()

    assert tracing.start() is True
    assert tracemalloc.get_traceback_limit() == 3
    assert tracing.stop() is True
    assert tracemalloc.is_tracing()
    tracemalloc.stop()


def test_of_two_users_the_last_one_ends_tracing():
    first, second = TracingUse(), TracingUse()
    first.start()
    second.start()

    assert first.stop() is True
    assert tracemalloc.is_tracing()
    assert second.stop() is True
    assert not tracemalloc.is_tracing()


def test_a_trace_limit_below_one_is_an_error():
    with pytest.raises(InvalidArgumentError, match="trace_limit of at least 1 frame, but got 0"):
        TracingUse(trace_limit=0)


def test_users_in_many_threads_leave_tracing_off():
    def use():
        for _ in range(20):
            tracing = TracingUse(1)
            tracing.start()
            assert tracemalloc.is_tracing()
            tracing.stop()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not tracemalloc.is_tracing()


def test_tracing_that_the_program_asked_for_meanwhile_goes_on():
    """CPython ignores ``start()`` while it traces; without us the program would find tracing on afterwards."""
    found = tracemalloc.start
    tracing = TracingUse(trace_limit=7)
    tracing.start()
    tracemalloc.start(3)
    tracing.stop()

    assert tracemalloc.is_tracing()
    assert tracemalloc.take_snapshot().traces
    assert tracemalloc.start is found
    tracemalloc.stop()


def test_tracing_that_the_program_started_and_stopped_meanwhile_is_off():
    tracing = TracingUse(trace_limit=7)
    tracing.start()
    tracemalloc.start(3)
    tracemalloc.stop()
    tracing.stop()

    assert not tracemalloc.is_tracing()


def test_tracing_begun_again_through_a_name_bound_before_is_known_by_its_limit():
    bound_before = tracemalloc.start
    tracing = TracingUse(trace_limit=7)
    tracing.start()
    tracemalloc.stop()
    bound_before(3)
    tracing.stop()

    assert tracemalloc.is_tracing()
    assert tracemalloc.get_traceback_limit() == 3
    tracemalloc.stop()


def test_a_call_of_start_that_fails_is_no_wish_to_trace():
    tracing = TracingUse(trace_limit=7)
    tracing.start()
    with pytest.raises(ValueError):  # noqa: PT011 - the words are Python's
        tracemalloc.start(0)
    tracing.stop()

    assert not tracemalloc.is_tracing()


def test_start_is_itself_again_after_each_use():
    found = tracemalloc.start
    for _ in range(3):
        tracing = TracingUse(trace_limit=1)
        tracing.start()
        assert tracemalloc.start is not found
        tracing.stop()

    assert tracemalloc.start is found


def test_a_stand_in_that_somebody_kept_still_starts_tracing():
    tracing = TracingUse(trace_limit=1)
    tracing.start()
    kept = tracemalloc.start
    tracing.stop()
    kept(5)

    assert tracemalloc.get_traceback_limit() == 5
    later = TracingUse(trace_limit=1)
    later.start()
    later.stop()
    assert tracemalloc.is_tracing()
    tracemalloc.stop()


def test_a_wrapper_that_somebody_put_around_start_meanwhile_stays(monkeypatch):
    monkeypatch.setattr(tracemalloc, "start", tracemalloc.start)  # put back at the end
    calls = []
    tracing = TracingUse(trace_limit=1)
    tracing.start()
    inner = tracemalloc.start

    def outer(limit):
        calls.append(limit)
        inner(limit)

    tracemalloc.start = outer
    tracing.stop()
    tracing.start()
    assert calls == []
    outer(4)
    tracing.stop()

    assert calls == [4]
    assert tracemalloc.is_tracing()
    tracemalloc.stop()
