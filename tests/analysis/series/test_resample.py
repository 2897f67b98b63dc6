"""Series of many lengths as matrices: rows grouped by length, medians as numpy takes them, warm-up cut by hand."""

from itertools import pairwise

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import SeriesBatch, prepare_batch
from memanalysis.analysis.series.resample import group_equal_lengths, make_series_matrix
from memanalysis.analysis.thresholds import SeriesThresholds


def batch_of(*lengths: int) -> SeriesBatch:
    rng = np.random.default_rng(1)
    series = np.repeat(np.arange(len(lengths)), lengths)
    times = np.concatenate([np.arange(float(n)) for n in lengths])
    return prepare_batch(series, times, rng.random(times.size) + 1, n_series=len(lengths))


@pytest.mark.slow
def test_series_of_one_length_are_one_group_and_short_ones_are_in_none():
    groups = list(group_equal_lengths(batch_of(20, 4, 30, 20)))
    assert [group.index.tolist() for group in groups] == [[0, 3], [2]]


@pytest.mark.parametrize(("n", "first"), [(100, 25), (640, 160), (16, 4), (15, 0), (5, 0)])
def test_the_first_quarter_is_left_out_where_enough_remains(n, first):
    (group,) = group_equal_lengths(batch_of(n))
    assert group.judged_from.tolist() == [first]


def test_the_warm_up_follows_the_thresholds():
    (group,) = group_equal_lengths(batch_of(100), thresholds=SeriesThresholds(warm_up_share=0.5))
    assert group.judged_from.tolist() == [50]


def test_a_short_series_is_taken_as_it_is():
    batch = batch_of(40)
    (group,) = group_equal_lengths(batch)
    matrix = make_series_matrix(batch, group)

    assert matrix.whole.tolist() == [batch.values.tolist()]
    assert matrix.levels.tolist() == [batch.values[10:].tolist()]
    assert matrix.times.tolist() == [batch.elapsed_s[10:].tolist()]


@pytest.mark.parametrize("n", [100, 150])
def test_points_of_unequal_numbers_of_samples_are_the_medians_of_their_own(n):
    """Also where one of two series has times of its own."""
    rng = np.random.default_rng(n)
    times, values = np.arange(float(2 * n)), rng.random(2 * n) + 1
    times[n:] += rng.uniform(0, 0.5, n)
    batch = prepare_batch(np.repeat([0, 1], n), times, values, n_series=2)
    (group,) = group_equal_lengths(batch)
    matrix = make_series_matrix(batch, group)

    edges = [round(point * n / 64) for point in range(65)]
    pieces = [slice(*ends) for ends in pairwise(edges)]
    for row, first in enumerate((0, n)):
        own_s, own = times[first : first + n], values[first : first + n]
        assert matrix.whole[row].tolist() == [float(np.median(own[piece])) for piece in pieces]
        assert matrix.whole_s[row] == pytest.approx([own_s[piece].mean() for piece in pieces])


def test_a_long_series_is_taken_as_medians_at_mean_times():
    batch = batch_of(640, 640)
    (group,) = group_equal_lengths(batch)
    matrix = make_series_matrix(batch, group)

    pieces = batch.values.reshape(2, 64, 10)
    assert matrix.whole == pytest.approx(np.median(pieces, axis=2))
    assert matrix.whole_s[1] == pytest.approx(4.5 + 10 * np.arange(64))
    assert matrix.levels.shape == (2, 64)
    assert matrix.index.tolist() == [0, 1]
    fewer = make_series_matrix(batch, group, max_points=32)
    assert fewer.whole == pytest.approx(np.median(batch.values.reshape(2, 32, 20), axis=2))
