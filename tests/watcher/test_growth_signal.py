"""What grows is seen at its own pace; what wobbles, warms up or swings is not."""

import random

import pytest

from memanalysis.units import MIB
from memanalysis.watcher.growth_signal import RSS_STEP_BYTES, FastRise, GrowthSignal


def first_sign(values):
    signal = GrowthSignal(RSS_STEP_BYTES)
    return next((number for number, value in enumerate(values) if signal.add(value)), None)


def test_a_fast_leak_shows_within_fifteen_ticks():
    assert first_sign(100 * MIB + MIB * tick for tick in range(100)) == 14


def test_a_leak_a_hundred_times_slower_shows_in_the_longer_stretches():
    """10 KiB a tick is 30 KiB a stretch of 3 ticks, which is nothing, and 480 KiB in one of 48."""
    assert first_sign(100 * MIB + MIB * tick // 100 for tick in range(5000)) == 5 * 48 - 1


def test_growth_that_begins_late_in_a_long_run_shows_as_soon():
    values = [100 * MIB] * 50_000 + [100 * MIB + MIB * tick for tick in range(50)]

    assert first_sign(values) - 50_000 <= 17


@pytest.mark.parametrize("seed", range(20))
def test_noise_about_a_level_is_no_growth(seed):
    rng = random.Random(seed)  # noqa: S311  a seeded series

    assert first_sign(100 * MIB + rng.gauss(0, MIB) for _ in range(5_000)) is None


def test_a_level_that_swings_is_no_growth():
    """Garbage piles up for 10 ticks and is gone."""
    assert first_sign(100 * MIB + MIB * (tick % 10) for tick in range(10_000)) is None


def test_a_program_that_starts_up_and_stays_is_no_growth():
    assert first_sign([20 * MIB, 60 * MIB, 90 * MIB] + [100 * MIB] * 5_000) is None


def test_unknown_values_are_passed_over():
    values = [value for tick in range(30) for value in (None, 100 * MIB + MIB * tick)]

    assert first_sign(values) == 29


def test_what_it_keeps_does_not_grow():
    signal = GrowthSignal(RSS_STEP_BYTES)
    for tick in range(100_000):
        signal.add(tick)

    assert sum(len(stretch.lows) for stretch in signal._stretches) == 30


@pytest.mark.parametrize(
    ("first_mib", "next_mib", "is_fast"),
    [(20, 27, False), (20, 28, True), (900, 990, False), (900, 1000, True), (20, 19, False)],
)
def test_a_rise_is_fast_from_8_mib_and_a_tenth_of_the_last_level_on(first_mib, next_mib, is_fast):
    rise = FastRise()
    rise.add(first_mib * MIB)
    assert not rise.is_seen
    rise.add(next_mib * MIB)

    assert rise.is_seen is is_fast


def test_unknown_values_are_no_rise():
    rise = FastRise()
    for value in (None, 20 * MIB, None, 100 * MIB, None):
        rise.add(value)

    assert rise.is_seen
    rise.clear()
    assert not rise.is_seen
    rise.add(199 * MIB)
    assert not rise.is_seen
    rise.add(200 * MIB)
    assert rise.is_seen
