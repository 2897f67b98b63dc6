"""The first quarter of a series is its warm-up, where enough remains; cut by hand here."""

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series.warm_up import find_warm_up_ends
from memanalysis.analysis.thresholds import SeriesThresholds


def end_of(times: list[float], thresholds: SeriesThresholds | None = None) -> int:
    batch = prepare_series(np.array(times), np.ones(len(times)))
    return int(find_warm_up_ends(batch, np.array([0]), thresholds or SeriesThresholds())[0])


@pytest.mark.slow
@pytest.mark.parametrize(("n", "first"), [(100, 25), (640, 160), (16, 4), (15, 0), (5, 0)])
def test_the_first_quarter_of_the_time_is_left_out_where_enough_remains(n: int, first: int):
    assert end_of([float(i) for i in range(n)]) == first


def test_it_is_a_share_of_the_time_and_not_of_the_samples():
    dense_then_sparse = [float(i) for i in range(90)] + [90.0 + 30.0 * i for i in range(1, 11)]

    assert end_of(dense_then_sparse) == 90  # a quarter of 390 s is 97.5 s: all of the sparse samples are later


def test_the_share_is_a_threshold():
    assert end_of([float(i) for i in range(100)], SeriesThresholds(warm_up_share=0.5)) == 50
