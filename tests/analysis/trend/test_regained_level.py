"""Growth that only regains a level held before is no leak; growth beyond it is, and so is growth below a start-up."""

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import prepare_batch, prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.trend.regained_level import find_regained
from memanalysis.analysis.verdict import Reason
from memanalysis.units import MIB

HOUR = 3600.0
T = np.arange(0.0, 25 * HOUR, 60.0)
"""A day and an hour, a sample a minute."""


def make(hours, levels_mib, *, seed=0):
    level = np.interp(T / HOUR, hours, levels_mib)
    return (level + np.random.default_rng(seed).normal(size=T.size) * 0.3) * MIB


REGAINED = {
    "a slow fall and a slow rise": ([0, 5, 6, 8, 25], [512, 512, 465, 465, 512]),
    "the same after loading": ([0, 0.2, 5, 6, 8, 25], [90, 512, 512, 465, 465, 512]),
    "nearly regained": ([0, 4, 4.1, 25], [512, 512, 430, 500]),
    "a little beyond": ([0, 4, 4.1, 25], [512, 512, 430, 520]),
    "a batch of two hours": ([0, 2, 2.2, 5, 25], [512, 512, 430, 430, 510]),
}


@pytest.mark.parametrize(("hours", "levels_mib"), REGAINED.values(), ids=REGAINED)
def test_growth_that_only_regains_a_level_held_before_is_no_leak(hours, levels_mib):
    verdict = assess_series(T, make(hours, levels_mib))

    assert (verdict.shape, verdict.is_leak, verdict.reasons) == ("inconclusive", False, (Reason.REGAINS_LEVEL,))
    lowest = hours[levels_mib.index(min(levels_mib[-4:]))]
    assert verdict.onset_s / HOUR == pytest.approx(lowest, abs=3)
    assert "a level that it held before, which it only regains since" in verdict.sentence


LEAKING = {
    "beyond the level before": ([0, 5, 6, 8, 25], [512, 512, 465, 465, 560]),
    "after a peak of minutes": ([0, 0.3, 0.4, 25], [512, 512, 430, 500]),
    "after a restart": ([0, 7, 7.02, 25], [300, 600, 200, 550]),
    "without a fall": ([0, 25], [430, 500]),
}


@pytest.mark.parametrize(("hours", "levels_mib"), LEAKING.values(), ids=LEAKING)
def test_growth_beyond_what_was_held_is_a_leak(hours, levels_mib):
    assert assess_series(T, make(hours, levels_mib)).is_leak


def test_a_leak_below_a_start_is_found_once_it_has_lasted_ten_times_as_long():
    times = np.arange(600.0)
    values = (np.where(times < 20, 300, 200 + 0.1 * times) + np.random.default_rng(1).normal(size=600) * 0.1) * MIB

    assert assess_series(times[:120], values[:120]).reasons == (Reason.REGAINS_LEVEL,)
    assert assess_series(times, values).is_leak


def test_the_second_since_which_each_series_of_a_batch_regains_is_found():
    hours, levels = REGAINED["nearly regained"]
    values = np.concatenate([make(hours, levels), make([0, 25], [430, 500])])
    batch = prepare_batch(np.repeat([0, 1], T.size), np.tile(T, 2), values, n_series=2)
    growth = np.full(2, 70.0 * MIB)
    since_s = find_regained(batch, np.array([0, 1]), growth)

    assert since_s[0] / HOUR == pytest.approx(4.1, abs=1)
    assert np.isnan(since_s[1])
    assert find_regained(batch, np.array([1]), growth[:1]).tolist() == pytest.approx([np.nan], nan_ok=True)


def test_no_series_regains_nothing():
    assert find_regained(prepare_series(T, make([0, 25], [1, 2])), np.zeros(0, dtype=int), np.zeros(0)).size == 0
