"""The census counts what is alive by type, and runs nothing of the program while it does."""

import gc
import sys

import pytest

from memanalysis.capture.objects import count_objects, read_object_census

pytestmark = pytest.mark.slow


class Visit:
    __slots__ = ("page",)

    def __init__(self):
        self.page = None


class Proud:
    def __sizeof__(self):
        raise AssertionError("the census ran code of the program")


class Unhashable(type):
    __hash__ = None

    def __eq__(cls, other):
        raise AssertionError("the census ran code of the program")


def find(rows, suffix):
    return next(row for row in rows if row["type"].endswith(suffix))


def test_live_objects_are_counted_by_qualified_type():
    kept = [Visit() for _ in range(1234)]

    row = find(read_object_census(), ".Visit")

    assert row == {
        "type": f"{Visit.__module__}.Visit",
        "count": 1234,
        "size_bytes": sum(map(sys.getsizeof, kept)),
    }


@pytest.mark.parametrize("make", [lambda n: [n] * n, lambda n: dict.fromkeys(range(n), n), lambda n: {n, n + 1}])
def test_sizes_of_builtin_types_are_those_of_getsizeof(make):
    kind = type(make(1))
    kept = [make(number) for number in range(1, 200)]
    for item in kept:
        gc.is_tracked(item)
    gc.collect()

    expected = sum(sys.getsizeof(item) for item in gc.get_objects() if type(item) is kind)

    assert find(read_object_census(), kind.__name__)["size_bytes"] == pytest.approx(expected, rel=0.05)
    assert len(kept) == 199


def test_a_size_written_in_python_is_not_asked():
    kept = [Proud() for _ in range(10)]

    row = find(read_object_census(), ".Proud")

    assert row["count"] == len(kept) == 10
    assert row["size_bytes"] > 0


def test_a_metaclass_that_cannot_be_hashed_does_no_harm():
    odd = Unhashable("Odd", (), {})
    kept = [odd() for _ in range(7)]

    rows = read_object_census()

    assert find(rows, ".Odd")["count"] == len(kept) == 7
    assert find(rows, "function")["count"] > 100


def test_the_most_numerous_types_come_first_and_top_cuts_the_rest():
    rows = read_object_census()

    assert [row["count"] for row in rows] == sorted((row["count"] for row in rows), reverse=True)
    assert [row["type"] for row in read_object_census(top=3)] == [row["type"] for row in rows[:3]]


def test_the_count_is_that_of_the_collector():
    assert count_objects() == pytest.approx(len(gc.get_objects()), abs=100)
