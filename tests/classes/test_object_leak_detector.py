"""Types whose number of objects grows."""

import gc
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from memanalysis.classes.object_leak_detector import ObjectLeakDetector
from memanalysis.errors import InvalidArgumentError


class Leaked:
    """Kept for ever."""


class Passing:
    """Comes and goes."""


def make_garbage() -> None:
    for _ in range(2000):
        knot = Passing()
        knot.self = knot  # type: ignore[attr-defined]


def replay(censuses: Sequence[dict[str, int]], **options: Any) -> ObjectLeakDetector:
    """A detector that has seen these counts, a minute apart."""
    rows: Iterator[list[dict[str, Any]]] = iter(
        [{"type": name, "count": count, "size_bytes": 0} for name, count in census.items()] for census in censuses
    )
    minutes = iter(range(len(censuses)))
    detector = ObjectLeakDetector(read_census=lambda: next(rows), clock=lambda: 60.0 * next(minutes), **options)
    gc.disable()  # nothing real is counted: no need to collect each time
    try:
        for _ in censuses:
            detector.take_object_snapshot()
    finally:
        gc.enable()
    return detector


@pytest.mark.slow
def test_real_objects_that_are_kept_are_found_by_type() -> None:
    detector = ObjectLeakDetector()
    kept: list[Leaked] = []
    for _ in range(3):
        detector.take_object_snapshot()
        kept.extend(Leaked() for _ in range(1000))
    detector.take_object_snapshot()
    first = detector.detect_object_leaks()[0]

    assert first["object_type"].endswith("Leaked")
    assert (first["first_count"], first["last_count"], first["growth"]) == (0, 3000, 3000)
    assert first["growth_percent"] == math.inf


@pytest.mark.slow
def test_garbage_is_no_leak() -> None:
    """Objects that only a cycle holds are collected before they are counted."""
    detector = ObjectLeakDetector()
    detector.take_object_snapshot()
    make_garbage()
    detector.take_object_snapshot()

    assert not [row for row in detector.detect_object_leaks() if row["object_type"].endswith("Passing")]


def test_a_collector_that_the_program_turned_off_is_left_off() -> None:
    gc.disable()
    try:
        before = [generation["collections"] for generation in gc.get_stats()]
        ObjectLeakDetector().take_object_snapshot()
        after = [generation["collections"] for generation in gc.get_stats()]
        still_off = not gc.isenabled()
    finally:
        gc.enable()

    assert still_off
    assert after == before


def test_growth_is_listed_largest_first() -> None:
    detector = replay([{"a": 10, "b": 100, "c": 5, "d": 7}, {"a": 15, "b": 150, "c": 5, "d": 2, "e": 20}])

    assert detector.detect_object_leaks() == [
        {"object_type": "b", "first_count": 100, "last_count": 150, "growth": 50, "growth_percent": 50.0},
        {"object_type": "e", "first_count": 0, "last_count": 20, "growth": 20, "growth_percent": math.inf},
        {"object_type": "a", "first_count": 10, "last_count": 15, "growth": 5, "growth_percent": 50.0},
    ]


@pytest.mark.parametrize("n", [0, 1])
def test_below_two_censuses_there_is_nothing_to_compare(n: int) -> None:
    assert replay([{"a": 10}] * n).detect_object_leaks() == []


def test_few_censuses_tell_only_what_rose_each_time() -> None:
    detector = replay([{"up": 1, "late": 5}, {"up": 2, "late": 5}, {"up": 3, "late": 900}])

    assert [row["object_type"] for row in detector.detect_object_leaks()] == ["up"]


def test_many_censuses_are_judged_by_the_engine() -> None:
    """A leak stays; a saw-tooth, a single step and a cache that fills and stops do not."""
    censuses = [
        {
            "leak": 100 + 50 * index,
            "sawtooth": 100 + 400 * (index % 5),
            "step": 100 if index < 15 else 900,
            "cache": 100 + round(900 * (1 - math.exp(-index / 3))),
            "still": 100,
        }
        for index in range(30)
    ]

    assert [row["object_type"] for row in replay(censuses, retention=30).detect_object_leaks()] == ["leak"]


def test_only_the_latest_censuses_are_compared() -> None:
    detector = replay([{"a": 1}, {"a": 5}, {"a": 7}], retention=2)

    assert detector.detect_object_leaks()[0]["first_count"] == 5


@pytest.mark.slow
def test_counts_given_out_are_not_those_kept() -> None:
    rows = iter([[{"type": "a", "count": 2}], [{"type": "a", "count": 3}]])
    detector = ObjectLeakDetector(read_census=lambda: next(rows))
    detector.take_object_snapshot()["a"] = 1000
    detector.take_object_snapshot()

    assert detector.detect_object_leaks()[0]["first_count"] == 2


def test_two_censuses_are_the_least() -> None:
    with pytest.raises(InvalidArgumentError, match=r"needs a retention of at least 2 censuses, but got 1\."):
        ObjectLeakDetector(retention=1)
