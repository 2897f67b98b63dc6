"""Breaches of a budget are episodes."""

import pandas as pd
import pytest
from factories import Series, as_samples

from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.units import MIB

BUDGET = Budget(max_bytes=100 * MIB, warning_bytes=80 * MIB, critical_bytes=95 * MIB)


@pytest.mark.slow
def test_each_stretch_over_the_warning_level_is_one_episode_with_its_worst():
    values = pd.Series([50, 85, 90, 50, 96, 120, 97, 60]).to_numpy(dtype=float) * MIB
    samples = as_samples(Series(pd.Series(range(8)).to_numpy(dtype=float), values, 0.0))
    breaches = find_breaches(samples, {"shop": BUDGET})

    assert breaches["level"].tolist() == ["warning", "critical"]
    assert breaches["worst_bytes"].tolist() == [90 * MIB, 120 * MIB]
    assert breaches["headroom_bytes"].tolist() == [10 * MIB, -20 * MIB]
    assert breaches["duration_s"].tolist() == [2, 3]
    assert breaches["first"].tolist() == [samples["timestamp"][1], samples["timestamp"][4]]
    assert breaches["last"].tolist() == [samples["timestamp"][2], samples["timestamp"][6]]


def test_a_breach_that_has_not_ended_lasts_to_the_last_sample():
    values = pd.Series([50, 99, 99]).to_numpy(dtype=float) * MIB
    breaches = find_breaches(as_samples(Series(pd.Series([0.0, 10, 30]).to_numpy(), values, 0.0)), {"shop": BUDGET})

    assert breaches["duration_s"].tolist() == [20]


@pytest.mark.parametrize("budgets", [{}, {"other": BUDGET}])
def test_without_a_budget_there_is_no_breach(budgets):
    values = pd.Series([500, 500]).to_numpy(dtype=float) * MIB
    assert find_breaches(as_samples(Series(pd.Series([0.0, 1]).to_numpy(), values, 0.0)), budgets).empty


def test_an_unknown_value_is_no_breach_and_does_not_end_one():
    values = pd.Series([99, 99, 99]).to_numpy(dtype=float) * MIB
    samples = as_samples(Series(pd.Series([0.0, 1, 2]).to_numpy(), values, 0.0))
    samples.loc[1, "rss_bytes"] = pd.NA

    assert len(find_breaches(samples, {"shop": BUDGET})) == 1
