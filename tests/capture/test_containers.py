"""Which containers get longer, and which of them have a bound."""

import functools
import gc
import itertools
from collections import deque

import pytest

from memanalysis.capture.containers import find_grown_containers, read_container_lengths, read_remaining_capacities
from memanalysis.capture.user_frames import is_library_file

pytestmark = pytest.mark.slow


def test_containers_are_found_with_what_they_grew_by_the_most_first():
    table, row, seen, window = {}, [0], set(), deque(maxlen=100)
    held = [table, row, seen, window]  # the collector does not look into a function that runs
    before = read_container_lengths()
    table.update(dict.fromkeys(range(40), ()))
    row.extend([()] * 30)
    seen.update((number,) for number in range(20))
    window.extend([()] * 60)

    grown = find_grown_containers(before, least=20)

    ours = [
        (type(item), more, capacity)
        for item, more, capacity in zip(grown.containers, grown.added, grown.remaining_capacity, strict=True)
    ]
    assert ours == [(deque, 60, 40), (dict, 40, None), (list, 30, None), (set, 20, None)]
    assert grown.containers[0] is held[-1]


def test_a_cache_is_found_as_its_function_and_its_table_is_not_found_again():
    cached = functools.lru_cache(maxsize=500)(lambda key: [key])
    cached(0)
    before = read_container_lengths()
    for number in range(50):
        cached(number)

    grown = find_grown_containers(before, least=40)

    assert len(grown.containers) == 1
    assert grown.containers[0] is cached
    assert (grown.added, grown.remaining_capacity) == ([49], [450])


def test_a_length_of_the_program_is_not_asked():
    class Odd(list):
        def __len__(self) -> int:
            raise RuntimeError("asked")

    odd = Odd()
    before = read_container_lengths()
    list.extend(odd, range(30))

    assert find_grown_containers(before, least=30).added == [30]


def test_what_is_ours_is_left_out():
    ours: list[object] = []
    before = read_container_lengths()
    ours.extend([()] * 30)

    assert find_grown_containers(before, least=30, ours=(ours,)).containers == []


def test_the_caches_of_memanalysis_itself_are_left_out() -> None:
    before = read_container_lengths()
    for number in range(40):
        is_library_file(f"/srv/program_{number}.py")

    assert is_library_file.cache_info().currsize >= 40
    assert find_grown_containers(before, least=30).containers == []


def test_remaining_capacities_of_caches_and_deques_with_a_bound():
    numbers = itertools.count()
    bounded = functools.lru_cache(maxsize=10)(lambda: next(numbers))
    unbounded = functools.lru_cache(maxsize=None)(lambda: next(numbers))
    window, full = deque([1], maxlen=5), deque([1, 2], maxlen=2)
    bounded()
    unbounded()

    capacities = read_remaining_capacities()

    assert capacities[id(bounded)] == 9
    assert capacities[id(window)] == 4
    assert id(unbounded) not in capacities
    assert id(full) not in capacities


def test_the_collector_is_left_as_it_was():
    gc.disable()
    try:
        read_container_lengths()
        assert not gc.isenabled()
    finally:
        gc.enable()
    find_grown_containers({}, least=1)
    assert gc.isenabled()
