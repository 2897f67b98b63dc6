"""A series is cleaned and cut before it is judged."""

import numpy as np
import pandas as pd
import pytest
from factories import ramp

from memanalysis.analysis.series.prepare import prepare_batch, prepare_series
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB


@pytest.mark.slow
def test_unknown_and_infinite_values_are_left_out_and_counted():
    series = prepare_series([0, 1, 2, 3, np.nan], [1.0, np.nan, np.inf, 4.0, 5.0])

    assert series.take(0)[0].tolist() == [0, 3]
    assert series.values.tolist() == [1, 4]
    assert series.n_dropped.tolist() == [3]


def test_rows_may_come_in_any_order_and_the_last_value_of_a_moment_counts():
    series = prepare_series([2, 0, 1, 1], [30, 10, 20, 25])

    assert series.elapsed_s.tolist() == [0, 1, 2]
    assert series.values.tolist() == [10, 25, 30]


def test_nullable_columns_are_read():
    series = prepare_series(pd.Series([0.0, 1.0, 2.0]), pd.Series(pd.array([1, None, 3], dtype="Int64")))

    assert series.values.tolist() == [1, 3]


def test_what_follows_a_restart_is_judged_alone():
    """40 s up to 90 MiB, a fall to 20 MiB, then 80 s: only the 80 s are left."""
    before, after = ramp(n=40), ramp(n=80, start=20 * MIB)
    series = prepare_series(
        np.concatenate([before.elapsed_s, after.elapsed_s + 40]), np.concatenate([before.values, after.values])
    )

    assert series.restarts.tolist() == [1]
    assert series.take(0)[0][0] == 40
    assert series.durations_s.tolist() == [79]


def test_short_teeth_are_no_restarts():
    """Ten teeth of equal length stay one series: the last is no longer than those before."""
    tooth = np.linspace(10 * MIB, 100 * MIB, 20)
    series = prepare_series(np.arange(200.0), np.tile(tooth, 10))

    assert series.restarts.tolist() == [0]
    assert series.sizes.tolist() == [200]


@pytest.mark.parametrize(
    ("times", "values", "text"),
    [
        ([0, 1], [1], "A series needs a time for each value, but got 2 and 1. Pass as many of each."),
        (
            [0, 1],
            [1, -5],
            "A series needs sizes of 0 bytes or more, but got -5. Leave unknown values empty (NaN).",
        ),
        (
            [[0, 1]],
            [1, 5],
            "A series needs elapsed_s in one dimension, but got 2. Pass one a call.",
        ),
    ],
)
def test_what_is_no_series_is_refused(times, values, text):
    with pytest.raises(InvalidArgumentError) as caught:
        prepare_series(times, values)
    assert str(caught.value) == text


def test_text_is_no_number():
    with pytest.raises(InvalidArgumentError, match="A series needs numbers in values_bytes, but got list"):
        prepare_series([0, 1], ["a", "b"])


def test_a_batch_is_each_of_its_series_apart():
    """Two series mixed row by row, one of them unsorted, one with an unknown value, and a third with nothing known."""
    batch = prepare_batch(
        np.array([0, 1, 0, 1, 1, 2]),
        np.array([5.0, 1.0, 2.0, 2.0, 3.0, 1.0]),
        np.array([50.0, 10.0, 20.0, np.nan, 30.0, np.nan]),
        n_series=3,
    )

    assert [batch.take(i)[1].tolist() for i in range(3)] == [[20, 50], [10, 30], []]
    assert batch.n_dropped.tolist() == [0, 1, 1]
    assert batch.durations_s.tolist() == [3, 2, 0]
    assert np.array_equal(batch.latest, [50, 30, np.nan], equal_nan=True)
