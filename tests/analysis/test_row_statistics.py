"""Medians and products of rows are those of numpy."""

import numpy as np
import pytest

from memanalysis.analysis.row_statistics import row_medians, row_products, share_row


@pytest.mark.slow
@pytest.mark.parametrize("points", [1, 2, 3, 8, 63, 496])
def test_medians_of_rows_are_those_of_numpy(points: int) -> None:
    rows = np.random.default_rng(points).normal(size=(50, points))
    given = rows.copy()

    np.testing.assert_array_equal(row_medians(rows), np.median(rows, axis=1))
    np.testing.assert_array_equal(rows, given)


def test_rows_that_may_be_overwritten_give_the_same() -> None:
    rows = np.array([[4.0, 1.0, 3.0, 2.0], [7.0, 7.0, 0.0, 0.0]])

    assert row_medians(rows, overwrite=True).tolist() == [2.5, 3.5]


def test_products_of_rows_and_curves_are_those_of_a_matrix_product() -> None:
    rng = np.random.default_rng(2)
    rows, curves = rng.normal(size=(7, 64)), rng.normal(size=(3, 64))

    np.testing.assert_allclose(row_products(rows, curves), rows @ curves.T)


@pytest.mark.parametrize(("rows", "shared"), [([[1.0, 2.0]] * 3, 1), ([[1.0, 2.0], [1.0, 2.5]], 2), ([[1.0, 2.0]], 1)])
def test_rows_that_are_all_equal_are_one(rows: list[list[float]], shared: int) -> None:
    assert share_row(np.array(rows)).tolist() == rows[:shared]
