"""A leak that a part of the record shows stays one while it grows on."""

import numpy as np
import pytest

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.trend.leaking_parts import judge_by_parts
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING, INCONCLUSIVE
from memanalysis.analysis.verdict import Reason
from memanalysis.units import MIB

T = np.arange(75.0)
SLOWER = 100 + np.where(T < 45, 0.25 * T, 0.25 * 45 + 0.19 * (T - 45))
"""MiB of a leak that goes on at three quarters of its rate, as that of a program that gets slower."""


def judge(values_mib: np.ndarray, **options):
    noise = np.random.default_rng(0).normal(0, 0.03, values_mib.size)
    return assess_series(T[: values_mib.size], (values_mib + noise) * MIB, **options)


@pytest.mark.parametrize("n", [45, 50, 55, 60, 65, 70, 75])
def test_the_word_is_not_taken_back_where_the_rate_falls_a_little(n: int) -> None:
    assert judge(SLOWER[:n]).is_leak


def test_the_sentence_says_that_a_part_of_the_record_shows_it() -> None:
    found = [judge(SLOWER[:n]) for n in range(45, 76)]
    kept = [verdict for verdict in found if Reason.GROWS_ON in verdict.reasons]

    assert kept
    assert all("A part of the record shows it, and it has grown on since." in each.sentence for each in kept)


def test_what_levels_off_or_falls_after_it_grew_is_no_leak() -> None:
    ramp = 100 + 0.3 * T
    for values in (np.where(T < 40, ramp, 112.0), np.where(T < 60, ramp, 100 + 0.3 * (T - 60))):
        assert judge(values[:45]).is_leak
        assert not judge(values).is_leak


def test_only_what_is_undecided_and_grows_is_judged_by_its_parts() -> None:
    """A classifier that calls every part a leak: stable, shrinking and short records stay what they are."""
    noise = np.random.default_rng(1).normal(0, 1, T.size)
    for values in (100 + noise, 200 - T + noise, 100 + T[:20]):
        batch = prepare_series(T[: values.size], values * MIB)
        fits = classify_shapes(batch)

        def call_all(part, thresholds):
            found = classify_shapes(part, thresholds=thresholds)
            found.shape[:] = GROWING
            return found

        assert judge_by_parts(batch, fits, call_all, thresholds=DEFAULT_THRESHOLDS).shape == fits.shape
    undecided = classify_shapes(prepare_series(T, SLOWER * MIB))
    undecided.shape[:] = INCONCLUSIVE
    kept = judge_by_parts(prepare_series(T, SLOWER * MIB), undecided, call_all, thresholds=DEFAULT_THRESHOLDS)
    assert (kept.shape[0], bool(kept.by_part[0])) == (GROWING, True)
