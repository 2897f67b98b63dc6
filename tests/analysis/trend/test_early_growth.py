"""What grows like a leak is called one only when it is steady, or has lasted."""

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.trend.early_growth import has_few_samples
from memanalysis.analysis.verdict import Reason
from memanalysis.units import MIB

T = np.arange(400.0)


def judge(values_mib, **options):
    return assess_series(T[: len(values_mib)], np.asarray(values_mib) * MIB, **options)


def test_few_samples_are_few_in_the_first_hour_alone():
    batch = prepare_series(T[:60], T[:60])
    assert has_few_samples(batch).tolist() == [True]
    assert has_few_samples(prepare_series(T[:60] * 120, T[:60])).tolist() == [False]
    assert has_few_samples(prepare_series(T, T)).tolist() == [False]
    assert has_few_samples(batch, thresholds=DEFAULT_THRESHOLDS.from_first_evidence()).tolist() == [False]


@pytest.mark.parametrize("n", [30, 40, 60, 90])
def test_a_plain_leak_is_called_one_from_its_thirtieth_sample_on(n):
    assert judge(100 + 0.7 * T[:n] + np.random.default_rng(n).normal(size=n) * 0.1).is_leak


@pytest.mark.parametrize(("slope_mib_per_s", "is_leak"), [(0.009, False), (0.03, True)])
def test_growth_by_less_than_a_hundredth_of_the_level_waits_for_two_minutes(slope_mib_per_s, is_leak):
    series = 60 + slope_mib_per_s * T + np.random.default_rng(4).normal(size=T.size) * 0.005

    assert judge(series[:80]).is_leak is is_leak
    assert judge(series[:130]).is_leak


def test_of_a_large_process_no_more_than_a_mebibyte_is_asked():
    assert judge(4000 + 0.1 * T[:80] + np.random.default_rng(4).normal(size=80) * 0.005).is_leak


@pytest.mark.parametrize("n", [30, 40, 60, 90])
def test_a_cache_that_fills_is_growing_so_far(n):
    cache = 100 * (1 - np.exp(-T / 100))
    verdict = judge(100 + cache[:n] + np.random.default_rng(n).normal(size=n) * 0.1)

    assert not verdict.is_leak
    assert verdict.shape in ("inconclusive", "slowing", "plateauing")


def test_an_unfinished_second_tooth_is_growing_so_far():
    verdict = judge(100 + (T[:50] + 40) % 48)

    assert (verdict.shape, verdict.reasons) == ("inconclusive", (Reason.GROWS_SO_FAR,))
    assert "not steady yet, or fell as far before" in verdict.sentence


def test_teeth_that_grow_over_a_baseline_that_stays_swing():
    verdict = judge(100 + ((T[:200] + 3) % 24) * (1 + T[:200] / 60))
    assert (verdict.shape, verdict.is_leak) == ("sawtooth", False)
