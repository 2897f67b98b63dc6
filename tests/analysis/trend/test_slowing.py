"""Filling caches and leaks are distinguished by the curve that describes them better; curve_fit is a second opinion."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from memanalysis.analysis.trend.slowing import fit_slowing

TIMES = np.linspace(0.0, 600.0, 64)
UNEVEN = np.sort(np.random.default_rng(3).uniform(0.0, 600.0, 64))


def _saturating(t: np.ndarray, level: float, rise: float, constant: float) -> np.ndarray:
    return level + rise * (1 - np.exp(-t / constant))


@pytest.mark.slow
@pytest.mark.parametrize("times", [TIMES, UNEVEN], ids=["even", "uneven"])
def test_a_saturating_rise_is_described_better_by_a_curve_than_by_a_line(times: np.ndarray) -> None:
    levels = _saturating(times, 200.0, 50.0, 120.0) + np.random.default_rng(1).normal(size=64)

    slowing = fit_slowing(times[None], levels[None])

    (_, _, constant), _ = curve_fit(_saturating, times, levels, p0=(200.0, 40.0, 100.0))
    spent = times[-1] / constant
    expected = spent * np.exp(-spent) / (1 - np.exp(-spent))
    assert slowing.information_gain[0] > 10
    assert slowing.end_to_mean[0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("times", [TIMES, UNEVEN], ids=["even", "uneven"])
def test_steady_growth_is_not_slowing(times: np.ndarray) -> None:
    levels = 200.0 + 0.1 * times + np.random.default_rng(2).normal(size=64)

    slowing = fit_slowing(times[None], levels[None])

    assert slowing.information_gain[0] < 10 or slowing.end_to_mean[0] > 0.75


def test_rows_are_judged_alike_alone_and_together_with_rows_of_other_times() -> None:
    levels = np.stack([_saturating(TIMES, 200.0, 50.0, 120.0), 200.0 + UNEVEN])
    both = fit_slowing(np.stack([TIMES, UNEVEN]), levels)
    first = fit_slowing(TIMES[None], levels[:1])

    assert both.information_gain[0] == pytest.approx(first.information_gain[0], rel=1e-6)
    assert both.end_to_mean[0] == pytest.approx(first.end_to_mean[0])


def test_a_falling_series_is_described_by_no_rise() -> None:
    slowing = fit_slowing(TIMES[None], (200.0 - TIMES)[None])

    assert slowing.information_gain[0] == -np.inf
    assert slowing.end_to_mean[0] == 1.0
