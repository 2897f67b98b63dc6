"""Turns between large rises and falls, counted by hand."""

import numpy as np
import pytest

from memanalysis.analysis.trend.swings import count_swings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("levels", "turns"),
    [
        ([0, 10, 0, 10, 0], 3),
        ([0, 4, 8, 4, 0, 4, 8], 2),
        ([0, 10, 10, 10], 0),
        ([0, 10, 6, 10, 6, 10], 0),  # falls of four are noise
        ([10, 0, 10], 1),
        ([5, 5, 5], 0),
        ([0, 3, 6, 4, 9, 1], 1),  # the rise goes on after the small fall
    ],
)
def test_only_rises_and_falls_of_at_least_five_turn(levels, turns):
    assert count_swings(np.array([levels], dtype=float), np.array([5.0])).tolist() == [turns]


def test_each_row_has_its_own_size_of_a_swing():
    levels = np.array([[0.0, 2.0, 0.0, 2.0], [0.0, 2.0, 0.0, 2.0]])
    assert count_swings(levels, np.array([1.0, 3.0])).tolist() == [2, 0]
