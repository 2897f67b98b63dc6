"""What the variables of a stack hold."""

import sys

import numpy as np
import pytest

from memanalysis.capture.name_sizes import find_largest_names

MB = 1_000_000


def test_the_largest_variables_of_user_frames_come_first() -> None:
    large, small = bytes(9 * MB), bytes(2 * MB)
    found = find_largest_names(sys._getframe(), most=2, seconds=5)

    assert [name.name for name in found] == ["large", "small"]
    assert found[0].size_bytes == pytest.approx(len(large), rel=0.01)
    assert found[1].type_name == type(small).__name__
    assert find_largest_names(None) == []


def test_one_object_with_two_names_is_shown_once_and_shared_items_count_once() -> None:
    rows = [np.zeros(MB)] * 50
    same = rows

    found = find_largest_names(sys._getframe(), most=9, seconds=5)
    mine = [name for name in found if name.type_name == "list"]

    assert same is rows
    assert [name.name for name in mine] == ["rows"]
    assert mine[0].size_bytes == pytest.approx(8 * MB, rel=0.01)


def test_the_time_is_kept_and_an_object_in_any_state_is_measured_without_an_error() -> None:
    class Odd:
        def __init__(self) -> None:
            self.held = bytes(4 * MB)

        def __len__(self) -> int:
            raise RuntimeError

        def __sizeof__(self) -> int:
            raise RuntimeError

    odd = Odd()
    found = find_largest_names(sys._getframe(), most=9, seconds=5)

    assert len(odd.held) == 4 * MB
    assert "odd" in [name.name for name in found]
    assert find_largest_names(sys._getframe(), seconds=0.0) == []
