"""What Python holds settles whether resident memory really slows down."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.trend.settled_growth import settle_by_sampled
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import (
    GROWING,
    INCONCLUSIVE,
    PLATEAUING,
    SAWTOOTH,
    SHRINKING,
    SLOWING,
    STABLE,
    STEPPED,
)
from memanalysis.units import MIB

T = np.arange(120.0)
BENDS = 100 + 5 * np.sqrt(T)
"""MiB of RSS that grows ever more slowly, as the allocator fills holes."""


def judge(rss_mib, sampled_mib):
    samples = pd.DataFrame(
        {"service": "api", "run_id": "r", "elapsed_s": T, "rss_bytes": rss_mib * MIB, "sampled_bytes": sampled_mib}
    )
    samples["sampled_bytes"] *= MIB
    return assess_samples(samples).iloc[0]


@pytest.mark.slow
def test_sampled_bytes_that_grow_steadily_make_rss_that_bends_a_leak_of_rss():
    verdict = judge(BENDS, 10 + 0.3 * T)

    assert (verdict["shape"], verdict["is_leak"], verdict["metric"]) == ("growing", True, "rss_bytes")
    assert verdict["latest_bytes"] == pytest.approx(BENDS[-1] * MIB)
    assert verdict["reasons"].startswith("python_grows")
    assert "and the memory of Python's objects grows steadily." in verdict["sentence"]


@pytest.mark.parametrize(
    "sampled",
    [10 + 5 * np.sqrt(T), 10 + 0.01 * T, np.full(T.size, 10.0), np.full(T.size, np.nan)],
    ids=["bend too", "too little", "flat", "unknown"],
)
def test_other_sampled_bytes_leave_the_verdict_as_it_is(sampled):
    verdict = judge(BENDS, sampled)

    assert (verdict["shape"], verdict["is_leak"]) == ("slowing", False)


def test_sampled_bytes_alone_raise_no_alarm_where_rss_keeps_still():
    rss_mib = 100 + np.random.default_rng(0).normal(size=T.size)

    assert not judge(rss_mib, 10 + 0.3 * T)["is_leak"]


CREEP = 60 + 0.012 * T + 0.02 * np.random.default_rng(1).normal(size=T.size)
"""MiB of RSS at the height of a heap that swings: 1.1 MiB more in the part that is judged."""

SWING = 10 + 3.0 * (T % 10)
"""MiB of Python objects that are collected every ten seconds."""


def test_rss_that_creeps_up_by_little_beside_a_swing_of_python_is_no_leak():
    verdict = judge(CREEP, SWING)

    assert (verdict["shape"], verdict["is_leak"], verdict["reasons"]) == ("inconclusive", False, "creeps")
    assert verdict["sentence"].startswith("Growing, but no leak was shown: needs growth by more than 1.")


@pytest.mark.parametrize(
    ("rss", "sampled"),
    [
        (CREEP, SWING / 10),
        (CREEP, SWING / 10 + 0.3 * T),
        (60 + 0.1 * T, SWING),
        (CREEP, np.full(T.size, np.nan)),
        (CREEP, np.where(T < 70, 140.0, 70.0)),
        (CREEP, np.where(T < 70, 70.0, 140.0)),
        (CREEP, 140 - 0.4 * T),
    ],
    ids=["small swing", "sampled grows", "part of the swing", "unknown", "step down", "step up", "shrinks"],
)
def test_other_growth_beside_a_swing_is_a_leak(rss, sampled):
    assert judge(rss, sampled)["is_leak"]


def test_growth_that_is_too_little_for_its_time_is_not_settled():
    """By 0.5 MiB of 60 in 80 s, which may be the allocator's alone."""
    rng = np.random.default_rng(4)
    seconds = T[:80]
    frame = pd.DataFrame({"service": "api", "run_id": "r", "elapsed_s": seconds})
    frame["rss_bytes"] = (60 + 0.009 * seconds + rng.normal(0, 0.005, 80)) * MIB
    frame["sampled_bytes"] = (2 + 0.006 * seconds) * MIB

    assert not assess_samples(frame).iloc[0]["is_leak"]


def prepare(*series_mib):
    """Series of one sample a second, in MiB, as a batch."""
    counts = np.array([len(values) for values in series_mib])
    seconds = np.concatenate([np.arange(float(count)) for count in counts])
    return prepare_grouped(counts, seconds, np.concatenate(series_mib) * MIB)


def settle(rss_mib, sampled_mib, shape, **columns):
    """Settle one series of RSS whose fit is as given."""
    batch = prepare(rss_mib)
    given = {"shape": shape} | columns
    fits = replace(classify_shapes(batch), **{name: np.array([value]) for name, value in given.items()})
    return settle_by_sampled(batch, fits, prepare(sampled_mib))


RISE = 100 + T
"""MiB of RSS at 1 MiB/s: 30 MiB in the warm-up and 89 MiB after."""


@pytest.mark.parametrize("shape", [SLOWING, PLATEAUING, INCONCLUSIVE])
@pytest.mark.parametrize(("slope", "settles"), [(0.26, True), (0.24, False)])
def test_sampled_bytes_settle_from_a_quarter_of_the_rate_on(shape, slope, settles):
    found = settle(RISE, 10 + slope * T, shape, grows_so_far=True, still_rises=True)

    assert (found.shape[0], found.settled[0]) == (GROWING if settles else shape, settles)
    assert (found.grows_so_far[0], found.still_rises[0], found.creeps[0]) == (not settles, not settles, False)
    assert found.slope[0] == pytest.approx(MIB)


@pytest.mark.parametrize("sampled", [10 + 5 * np.sqrt(T), np.where(T < 70, 10.0, 110.0)], ids=["bend", "step"])
def test_sampled_bytes_that_do_not_grow_steadily_settle_nothing(sampled):
    found = settle(10 + 0.1 * T, sampled, SLOWING)

    assert (found.shape[0], found.settled[0], found.creeps[0]) == (SLOWING, False, False)


@pytest.mark.parametrize("shape", [STEPPED, SAWTOOTH, STABLE, SHRINKING])
def test_what_does_not_rise_is_not_settled(shape):
    found = settle(RISE, 10 + T, shape)

    assert (found.shape[0], found.settled[0]) == (shape, False)


@pytest.mark.parametrize("columns", [{"low": 0.0}, {"low": -1.0}, {"low": np.nan}, {"regains": True}], ids=str)
@pytest.mark.parametrize("shape", [PLATEAUING, INCONCLUSIVE])
def test_what_may_not_rise_at_all_or_only_regains_its_level_is_not_settled(shape, columns):
    found = settle(RISE, 10 + T, shape, **columns)

    assert (found.shape[0], found.settled[0]) == (shape, False)


@pytest.mark.parametrize(("n", "settles"), [(100, False), (130, True)])
def test_growth_by_less_than_a_hundredth_of_the_level_is_settled_after_two_minutes(n, settles):
    """By 0.005 MiB/s of 60 MiB: 0.5 MiB in 97 s. Sampled bytes grow by a tenth of theirs."""
    seconds = np.arange(float(n))
    found = settle(60 + 0.005 * seconds, 10 + 0.01 * seconds, INCONCLUSIVE)

    assert found.settled[0] == settles


WAVE = np.where(T % 30 < 15, 60.0, 100.0)
"""MiB of Python objects: 40 MiB up and down, in whole turns after the warm-up of 30 s."""


def creeps(sampled_mib, *, growth_mib=1.0):
    """Whether RSS that grew by so much, from its thirtieth second on, is shown to creep up only."""
    found = settle(RISE, sampled_mib, GROWING, slope=growth_mib * MIB / 90, judged_s=90.0)
    assert found.shape[0] == (INCONCLUSIVE if found.creeps[0] else GROWING)
    assert not found.settled[0]
    return bool(found.creeps[0])


def test_growth_below_a_tenth_of_the_swing_creeps():
    """A tenth of 40 MiB is 4 MiB."""
    assert creeps(WAVE, growth_mib=3.9)
    assert not creeps(WAVE, growth_mib=4.1)


def test_only_growth_creeps_and_only_where_the_sampled_bytes_do_not_grow():
    """What slows down beside a swing stays so. Two MiB beside a swing of 40 MiB are growth where its lows rise too."""
    found = settle(100 + 0.02 * T, WAVE, SLOWING)
    assert (found.shape[0], found.settled[0], found.creeps[0]) == (SLOWING, False, False)

    rising = 40.0 * (T % 6 < 3) + 60 + 0.3 * T
    assert classify_shapes(prepare(rising)).shape[0] == GROWING
    assert not creeps(rising, growth_mib=2.0)
    assert creeps(rising - 0.3 * T, growth_mib=2.0)
    assert not creeps(10 + T)


def test_a_swing_turns_four_times():
    """After the warm-up six levels of 15 s are five moves and four turns; five levels of 18 s are three turns."""
    assert creeps(np.where(((T - 30) // 15) % 2 == 1, 100.0, 60.0))
    assert not creeps(np.where(((T - 30) // 18) % 2 == 1, 100.0, 60.0))


def test_a_swing_of_the_warm_up_does_not_count():
    assert not creeps(np.where(T < 28, np.where(T % 4 < 2, 60.0, 100.0), 80.0))


def test_a_swing_of_less_than_a_tenth_of_the_samples_does_not_count():
    """Eight of 90 samples after the warm-up are high, one every ten seconds, or eight are low."""
    peaks = np.where((T >= 30) & (T < 110) & (T % 10 == 5), 40.0, 0.0)

    assert not creeps(60 + peaks)
    assert not creeps(100 - peaks)


def test_a_smaller_movement_about_the_middle_is_no_turn():
    """From 60 to 100 and back once, and between by 20, which is half of it."""
    once = np.where((T >= 60) & (T < 90), 100.0, 60.0)

    assert not creeps(once - np.where(once > 80, 20.0, -20.0) * (T % 6 < 3))


@pytest.mark.parametrize("sampled", [np.full(T.size, np.nan), np.full(T.size, 80.0), WAVE[:1]])
def test_sampled_bytes_that_are_unknown_flat_or_read_once_show_no_creeping(sampled):
    assert not creeps(sampled)


def test_each_series_is_settled_by_its_own_sampled_bytes_and_no_input_is_changed():
    batch = prepare(RISE, RISE, 100 + 0.01 * T, RISE, RISE)
    shapes = np.array([STABLE, SLOWING, GROWING, SLOWING, GROWING])
    fits = replace(classify_shapes(batch), shape=shapes.copy())

    found = settle_by_sampled(batch, fits, prepare(10 + T, 10 + T, WAVE, WAVE, WAVE))

    assert found.shape.tolist() == [STABLE, GROWING, INCONCLUSIVE, SLOWING, GROWING]
    assert found.settled.tolist() == [False, True, False, False, False]
    assert found.creeps.tolist() == [False, False, True, False, False]
    assert fits.shape.tolist() == shapes.tolist()
    assert not fits.settled.any()
    assert not fits.creeps.any()


def test_without_sampled_bytes_or_doubt_the_fits_stay_as_they_are():
    batch = prepare(RISE, np.full(T.size, 100.0))
    fits = classify_shapes(batch)

    assert settle_by_sampled(batch, fits, None) is fits
    flat = prepare(np.full(T.size, 100.0), np.zeros(0))
    fits = classify_shapes(flat)
    assert settle_by_sampled(flat, fits, prepare(WAVE, WAVE)) is fits
