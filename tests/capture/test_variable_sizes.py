"""What each variable keeps alive: sizes against what is known of the objects, buffers once, time bounded."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from memanalysis.capture.variable_sizes import VariableSize, measure_variables

MIB = 2**20


def measure(**variables: object) -> dict[str, VariableSize]:
    found = measure_variables(variables, max_s=10.0)
    return {row.name: row for row in found.rows}


def size_of(value: object) -> int:
    size = measure(value=value)["value"].size_bytes
    assert size is not None
    return size


class Slots:
    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held


class WithSizeInPython:
    def __sizeof__(self) -> int:
        raise AssertionError("code of the program was called")

    def __len__(self) -> int:
        raise AssertionError("code of the program was called")

    @property
    def nbytes(self) -> int:
        raise AssertionError("code of the program was called")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.ones(2**20), 8 * MIB),
        (pd.DataFrame({"a": np.arange(2**20), "b": np.ones(2**20)}), 16 * MIB),
        (pd.Series(np.ones(2**20)), 8 * MIB),
        (pd.Series(["low", "high"] * 2**19, dtype="category"), 1 * MIB),
        (pa.table({"a": np.arange(2**20)}), 8 * MIB),
        (pl.DataFrame({"a": np.arange(2**20)}), 8 * MIB),
        (bytearray(8 * MIB), 8 * MIB),
        ({"deep": [{"er": (np.ones(2**20),)}]}, 8 * MIB),
        (Slots(np.ones(2**20)), 8 * MIB),
        ([np.ones(2**10) for _ in range(1000)], 1000 * 8 * 2**10),
    ],
    ids=["numpy", "pandas", "series", "category", "arrow", "polars", "bytes", "nested", "slots", "many arrays"],
)
def test_arrays_frames_and_what_holds_them(value: object, expected: int):
    assert size_of(value) == pytest.approx(expected, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "each"),
    [
        (list(range(1000, 301_000)), 8 + 28),
        (tuple(f"{number:09}" for number in range(100_000)), 8 + sys.getsizeof("0" * 9)),
        ([{"a": float(number)} for number in range(50_000)], 8 + sys.getsizeof({"a": 1.0}) + 24),
        (np.array([f"{number:09}" for number in range(100_000)], dtype=object), 8 + sys.getsizeof("0" * 9)),
    ],
    ids=["ints", "texts", "records", "object array"],
)
def test_a_sample_of_a_large_container_stands_for_all_of_it(value: object, each: int):
    assert size_of(value) == pytest.approx(each * len(value), rel=0.05)  # type: ignore[arg-type]
    assert measure(value=value)["value"].is_estimate


@pytest.mark.parametrize("make", [set, frozenset, lambda numbers: dict.fromkeys(numbers)])
def test_sets_and_dicts_are_sampled_too(make):  # type: ignore[no-untyped-def]
    value = make(range(1000, 301_000))

    assert size_of(value) == pytest.approx(sys.getsizeof(value) + 300_000 * 28, rel=0.05)


def test_what_the_elements_share_is_counted_once():
    shared = bytearray(4 * MIB)
    value = [[number, shared] for number in range(1000, 51_000)]

    assert size_of(value) == pytest.approx(4 * MIB + 50_000 * (8 + 72 + 28), rel=0.05)
    assert size_of([shared] * 10**6) == pytest.approx(12 * MIB, rel=0.05)


def test_a_view_is_shown_with_its_whole_buffer_and_the_total_has_it_once():
    array = np.ones(2**20)
    found = measure_variables({"array": array, "view": array[:3], "held": {"in": array}}, max_s=10.0)
    rows = {row.name: row for row in found.rows}

    assert rows["view"].size_bytes == rows["array"].size_bytes == 8 * MIB
    assert rows["view"].shared_with == (("array", 8 * MIB), ("held", 8 * MIB))
    assert found.total_bytes == pytest.approx(8 * MIB, rel=0.01)


def test_views_between_libraries_are_known_as_one_buffer():
    array = np.ones(2**20)
    memory = bytes(2**20)
    arrow = pa.array(array)
    frame = pd.DataFrame({"a": np.arange(2**20)})
    found = measure_variables(
        {
            "array": array,
            "arrow": arrow,
            "memory": memory,
            "view": memoryview(memory),
            "over": np.frombuffer(memory, dtype="u1"),
            "frame": frame,
            "column": frame["a"].to_numpy(),
        },
        max_s=10.0,
    )

    assert found.total_bytes == pytest.approx(8 * MIB + 1 * MIB + 8 * MIB, rel=0.02)


def test_nothing_of_the_program_runs():
    assert size_of(WithSizeInPython()) < 1000


def test_a_class_a_function_and_a_structure_that_holds_itself():
    held = np.ones(2**17)
    loop: list[object] = [held]
    loop.append(loop)

    def closure() -> object:
        return held

    assert size_of(closure) == pytest.approx(MIB, rel=0.01)
    assert size_of(lambda value=held: value) == pytest.approx(MIB, rel=0.01)
    assert size_of(loop) == pytest.approx(MIB, rel=0.01)
    assert size_of(np) == 0


def test_it_stops_when_the_time_is_over_and_unknown_is_not_zero():
    """A clock that ends the time at its fifth reading: what was not reached has no size."""
    readings = iter(range(10**6))
    variables = {f"v{number}": [[each] for each in range(400)] for number in range(20)}
    found = measure_variables(variables, max_s=5.0, clock=lambda: float(next(readings)))

    assert not found.is_complete
    assert any(row.size_bytes is None for row in found.rows)


def test_what_it_shall_not_follow_is_left_out():
    everything = {"large": bytearray(MIB)}

    found = measure_variables({"namespace": [everything]}, stop_at=(everything,))

    assert found.total_bytes < 1000
