"""Quantiles and tails of Student's t against SciPy."""

import numpy as np
import pytest
from scipy import stats

from memanalysis.analysis.quantiles import student_t_p_value, student_t_quantile


@pytest.mark.parametrize("probability", [0.9, 0.95, 0.975, 0.99, 0.995])
def test_quantiles_are_scipys_within_a_hundredth_of_a_per_cent(probability):
    freedom = np.concatenate([[2.0], np.linspace(3, 10, 71), np.geomspace(10, 1e6, 50)])

    assert student_t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-4)


@pytest.mark.parametrize("freedom", [2.0, 2.5, 7.0, 50.0, 1000.0])
def test_p_values_are_scipys(freedom):
    values = [0.0, 0.1, 1.0, -2.0, 5.0, 40.0]

    found = [student_t_p_value(value, freedom) for value in values]
    assert found == pytest.approx(2 * stats.t.sf(np.abs(values), freedom), rel=1e-6, abs=1e-300)
