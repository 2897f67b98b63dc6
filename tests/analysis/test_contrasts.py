"""Many changes at once are judged as strictly as one alone."""

import numpy as np
import pytest
from scipy import stats

from memanalysis.analysis.contrasts import Side, adjust_p_values, contrast_sides
from memanalysis.analysis.thresholds import ComparisonThresholds


@pytest.mark.slow
def test_p_values_are_adjusted_as_holm_does():
    """By hand: 4 x 0.01, 3 x 0.02, then 2 x 0.03 = 0.06, which is no less than the one before; 0.5 stays."""
    assert adjust_p_values([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert adjust_p_values([]) == []


def test_several_runs_a_side_are_welchs_test():
    first, second = np.array([10.0, 12.0, 11.0, 13.0]), np.array([15.0, 17.0, 18.0])
    expected = stats.ttest_ind(second, first, equal_var=False)
    sides = (Side(values, np.zeros(values.size)) for values in (first, second))
    found = contrast_sides(*sides, ComparisonThresholds())

    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-3)


def test_one_run_a_side_is_the_test_of_two_means_with_errors_of_their_own_freedom():
    """Welch's t of two samples from their means, standard errors and sizes."""
    expected = stats.ttest_ind_from_stats(13.0, 2.0, 9, 10.0, 1.5, 6, equal_var=False)
    before = Side(np.array([10.0]), np.array([1.5 / np.sqrt(6)]), np.array([5.0]))
    after = Side(np.array([13.0]), np.array([2.0 / 3]), np.array([8.0]))

    assert contrast_sides(before, after, ComparisonThresholds()).p_value == pytest.approx(expected.pvalue)
