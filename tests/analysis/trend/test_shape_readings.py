"""Growth that jumps, a late onset, a cycle or a fall hide is found, and what only looks like it raises no alarm."""

import numpy as np
import pytest
from factories import Series, ar_noise, ramp, sawtooth, steps

from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import SHAPES
from memanalysis.units import MIB

N = 200
T = np.arange(float(N))
DAY_S = 86400.0


def judge(values_mib, *, step_s=1.0):
    return assess_series(T[: len(values_mib)] * step_s, np.asarray(values_mib) * MIB)


def noise(*, size=0.3, seed=0):
    return np.random.default_rng(seed).normal(size=N) * size


def test_a_sudden_jump_on_a_steady_leak_does_not_hide_it_and_is_not_counted_as_growth():
    verdict = judge(100 + 0.25 * T + 30 * (T >= 90) + noise())

    assert (verdict.shape, verdict.is_leak) == ("growing", True)
    assert verdict.low_bytes_per_s <= 0.25 * MIB <= verdict.high_bytes_per_s


def test_a_jump_alone_is_no_leak():
    assert judge(100 + 30 * (T >= 90) + noise()).shape == "stepped"


@pytest.mark.parametrize("onset", [0.4, 0.6, 0.75])
def test_growth_that_began_late_is_a_leak_since_then(onset):
    verdict = judge(100 + 40 * np.maximum(0, T / N - onset) / (1 - onset) + noise())

    assert verdict.is_leak
    assert verdict.onset_s == pytest.approx(onset * N, abs=0.05 * N)
    assert "it was flat before" in verdict.sentence


def test_a_flat_series_that_rises_at_its_very_end_is_not_called_stable():
    verdict = judge(100 + 40 * np.maximum(0, T / N - 0.93) / 0.07 + noise())

    assert (verdict.shape, verdict.is_leak) == ("inconclusive", False)
    assert "rises at its end" in verdict.sentence


def test_a_leak_under_a_day_cycle_is_found_at_its_rate():
    """After a public report: 3.5 days, 10 MB up and down, and 90 MB more at the end."""
    leak = judge(200 + 90 * T / N + 10 * np.sin(2 * np.pi * 3.5 * T / N) + noise(), step_s=3.5 * DAY_S / N)
    cycle = judge(200 + 10 * np.sin(2 * np.pi * 3.5 * T / N) + noise(), step_s=3.5 * DAY_S / N)

    assert leak.is_leak
    assert leak.low_bytes_per_s <= 90 * MIB / (3.5 * DAY_S) <= leak.high_bytes_per_s
    assert not cycle.is_leak


def test_a_leak_that_is_released_in_part_is_found():
    given = sum(8.0 * (at <= T) for at in (30, 75, 110, 160))
    assert judge(100 + 0.5 * T - given + noise()).is_leak


def test_a_leak_that_went_on_after_a_restart_is_found_once_it_has_lasted():
    level = np.where(T < 70, 200 + T, 200 + T - 100)

    assert judge(level + noise()).is_leak
    assert judge(level[:150] + noise()[:150]).is_leak
    assert not judge(level[:120] + noise()[:120]).is_leak


@pytest.mark.slow
def test_saw_teeth_whose_swing_grows_over_a_baseline_that_stays_are_no_leak():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        period = rng.uniform(6, 50)
        swing = (1 + rng.uniform(1, 5) * T / N) * 10
        tooth = ((T + rng.uniform(0, period)) % period) / period
        alarms += judge(200 + tooth * swing + noise()).is_leak
    assert alarms <= 5


def test_growth_that_slows_down_without_an_end_has_a_word_of_its_own():
    verdict = judge(100 + 5 * np.sqrt(T) + noise(size=0.05))

    assert (verdict.shape, verdict.is_leak) == ("slowing", False)
    assert verdict.sentence.startswith("Grows, but ever more slowly")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_other_readings_raise_no_alarm_on_noise_steps_and_saw_teeth(seed):
    rng = np.random.default_rng(seed)
    alarms = 0
    for number in range(60):
        t = np.arange(300.0)
        series = [
            Series(t, 100 * MIB + ar_noise(rng, 300, lag_one=0.9, sigma=5 * MIB), 0.0),
            steps(height=rng.uniform(5, 60) * MIB, at=rng.uniform(0.1, 0.9), seed=number),
            sawtooth(height=rng.uniform(10, 60) * MIB, period=int(rng.integers(5, 60)), seed=number),
        ]
        alarms += sum(assess_series(one.elapsed_s, one.values).is_leak for one in series)
    assert alarms == 0


def test_a_series_that_grows_as_it_is_keeps_its_plain_fit():
    series = ramp(n=N, sigma=MIB / 4)
    fits = classify_shapes(prepare_series(series.elapsed_s, series.values))

    assert str(SHAPES[fits.shape[0]]) == "growing"
    assert np.isnan(fits.onset_s[0])
    assert fits.judged_s[0] == pytest.approx(0.75 * N, abs=2)
