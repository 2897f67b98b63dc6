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
