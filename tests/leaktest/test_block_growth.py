"""Calls whose bytes come in jumps are judged by the blocks that they keep."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from memanalysis.leaktest.block_growth import judge_by_blocks
from memanalysis.leaktest.find_leak import find_leak
from memanalysis.leaktest.sequential_test import CallGrowth, judge_calls, next_reading

CACHE: dict[int, int] = {}
SEEN: set[int] = set()


@pytest.fixture(autouse=True)
def _empty():
    CACHE.clear()
    SEEN.clear()
    yield
    CACHE.clear()
    SEEN.clear()


def add_entry(numbers: "itertools.count[int]") -> None:
    CACHE[next(numbers)] = 7


def add_to_set(numbers: "itertools.count[int]") -> None:
    SEEN.add(next(numbers))


def fill_to_bound(numbers: "itertools.count[int]", *, bound: int) -> None:
    CACHE[next(numbers)] = 7
    if len(CACHE) > bound:
        del CACHE[next(iter(CACHE))]


def fill_and_clear(numbers: "itertools.count[int]", *, bound: int) -> None:
    CACHE[next(numbers)] = 7
    if len(CACHE) > bound:
        CACHE.clear()


@pytest.mark.slow
@pytest.mark.parametrize(("add", "calls"), [(add_entry, 5_000), (add_to_set, 1_000)])
def test_a_table_that_doubles_beside_small_entries_is_a_leak(add: Callable[..., None], calls: int) -> None:
    """Each call keeps a number of 32 bytes, and in the table up to 110 bytes right after it doubled."""
    finding = find_leak(add, args=(itertools.count(10**6),), max_calls=calls, max_s=60, holders=False)

    assert finding.is_leak is True
    assert finding.blocks_per_call == pytest.approx(1, abs=0.05)
    assert finding.bytes_per_call is not None
    assert 28 <= finding.bytes_per_call <= 180
    assert finding.low is not None
    assert finding.high is not None
    assert 0 <= finding.low <= finding.bytes_per_call <= finding.high


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1_000, 5_000])
@pytest.mark.parametrize("keep", [fill_to_bound, fill_and_clear])
def test_a_table_with_a_bound_and_one_that_is_cleared_are_no_leak(keep: Callable[..., None], calls: int) -> None:
    numbers = itertools.count(10**6)

    finding = find_leak(keep, args=(numbers,), kwargs={"bound": calls // 2}, max_calls=calls, max_s=60, holders=False)

    assert not finding.is_leak


def list_calls(end: int) -> list[int]:
    calls = [1]
    while calls[-1] < end:
        calls.append(next_reading(calls[-1]))
    return calls


def judge(entries: "list[float]") -> tuple[CallGrowth, CallGrowth]:
    """Judge a set of numbers by its bytes, and by its blocks too; its table is made four times as large when full."""
    calls = np.array(list_calls(4_000), dtype=float)
    blocks = np.array(entries)
    tables = [16 * 4 ** max(2, int(np.ceil(np.log(max(1.0, 5 / 3 * count)) / np.log(4)))) for count in entries]
    levels = 32 * blocks + np.array(tables, dtype=float)
    by_bytes = judge_calls(calls, levels, min_per_call=4.0)
    return by_bytes, judge_by_blocks(by_bytes, calls, levels, blocks, min_per_call=4.0)


def test_jumps_of_bytes_leave_open_what_blocks_decide() -> None:
    by_bytes, growth = judge([float(calls) for calls in list_calls(4_000)])

    assert by_bytes.is_leak is None
    assert growth.is_leak is True
    assert growth.shape == "growing"


def test_blocks_that_stopped_rising_decide_no_leak() -> None:
    _, growth = judge([min(float(calls), 1_500.0) for calls in list_calls(4_000)])

    assert growth.is_leak is not True


def test_bytes_without_jumps_are_judged_as_they_are() -> None:
    calls = np.array(list_calls(4_000), dtype=float)
    by_bytes = judge_calls(calls, 100 * calls, min_per_call=4.0)

    assert judge_by_blocks(by_bytes, calls, 100 * calls, 0 * calls, min_per_call=4.0) is by_bytes
    assert by_bytes.is_leak is True
