"""Quantiles of Student's t against SciPy."""

import numpy as np
import pytest
from scipy import stats

from memanalysis.analysis.quantiles import student_t_quantile


@pytest.mark.parametrize("probability", [0.9, 0.95, 0.975, 0.99, 0.995])
def test_quantiles_are_scipys_within_a_hundredth_of_a_per_cent(probability):
    freedom = np.concatenate([[2.0], np.linspace(3, 10, 71), np.geomspace(10, 1e6, 50)])

    assert student_t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-4)
