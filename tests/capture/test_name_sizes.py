"""What the variables of a stack hold, against sizes known by construction."""

import sys

import numpy as np
import pandas as pd
import pytest

from memanalysis.capture.name_sizes import estimate_bytes, find_largest_names

FAR = float("inf")
MB = 1_000_000


class Model:
    def __init__(self) -> None:
        self.history = [bytes(MB) for _ in range(5)]


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        (bytes(3 * MB), 3 * MB),
        (np.zeros(MB), 8 * MB),
        (pd.DataFrame({"a": np.zeros(MB), "b": np.zeros(MB)}), 16 * MB),
        ([bytes(1000)] * 399, 399_000),
        ([bytes(1000) for _ in range(5_000)], 5 * MB),
        ({number: bytes(1000) for number in range(5_000)}, 5 * MB),
        ({"inner": {"rows": [np.zeros(1000)] * 1000}}, 8 * MB),
        (Model(), 5 * MB),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_estimate_is_within_a_fifth_of_what_was_made(value: object, size_bytes: int) -> None:
    assert estimate_bytes(value, until=FAR) == pytest.approx(size_bytes, rel=0.2)


def test_an_object_in_any_state_and_a_cycle_are_measured_without_an_error() -> None:
    cycle: list[object] = []
    cycle.append(cycle)

    class Odd:
        __slots__ = ()

        def __len__(self) -> int:
            raise RuntimeError

        def __sizeof__(self) -> int:
            raise RuntimeError

    assert estimate_bytes(cycle, until=FAR) < MB
    assert estimate_bytes(Odd(), until=FAR) >= 0
    assert estimate_bytes([bytes(MB)], until=0.0) < MB  # no time left


def test_the_largest_variables_of_user_frames_come_first() -> None:
    large, small = bytes(9 * MB), bytes(2 * MB)
    found = find_largest_names(sys._getframe(), most=2, seconds=5)

    assert [name.name for name in found] == ["large", "small"]
    assert found[0].size_bytes == pytest.approx(len(large), rel=0.01)
    assert found[1].type_name == type(small).__name__
    assert find_largest_names(None) == []
