"""Which falls are read as a restart, and what follows as the growth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.series.resample import group_equal_lengths, make_series_matrix
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.trend.after_restart import read_since_restart
from memanalysis.units import MIB

N = 200
T = np.arange(float(N))


def judge(values_mib, *, seed=0):
    values = np.asarray(values_mib) + np.random.default_rng(seed).normal(size=len(values_mib)) * 0.3
    return assess_series(T[: values.size], values * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("at", [60, 90, 120])
def test_a_leak_that_goes_on_at_its_rate_after_a_restart_is_found(at):
    verdict = judge(np.where(at > T, 200 + T, 200 + T - 0.35 * (200 + at)))

    assert verdict.is_leak
    assert verdict.low_bytes_per_s <= MIB <= verdict.high_bytes_per_s


def test_a_leak_that_goes_on_after_a_part_was_released_is_found_soon():
    level = np.where(T < 100, 150 + 2 * T, 150 + 2 * T - 80)
    assert judge(level[:150]).is_leak


def test_growth_after_a_restart_that_stops_is_no_leak():
    warm = 100 * (1 - np.exp(-np.where(T < 90, T, T - 90) / 15))
    assert not judge(200 + warm).is_leak


def test_two_large_falls_are_garbage_collection():
    assert not judge(200 + 1.5 * ((T + 20) % 75)).is_leak


def test_one_large_fall_among_smaller_ones_is_garbage_collection():
    assert not judge(200 + 1.2 * (T % 110) + 4 * (T % 12)).is_leak


def test_what_was_loaded_at_the_start_is_no_growth_before_a_fall():
    loaded = np.interp(T, [0, 6, 60, 64, 80, 200], [50, 140, 140, 60, 60, 138])
    assert not judge(200 + loaded).is_leak


def read(*series, every_s=1.0):
    """What is read since a restart of some series, by their place among them."""
    counts = np.array([len(values) for values in series])
    seconds = every_s * np.concatenate([np.arange(float(count)) for count in counts])
    batch = prepare_grouped(counts, seconds, np.concatenate(series).astype(np.float64))
    found = []
    for group in group_equal_lengths(batch):
        found += read_since_restart(batch, make_series_matrix(batch, group), DEFAULT_THRESHOLDS)
    return {reading.place: reading for reading in found}


def line(start, slope, n):
    return start + slope * np.arange(float(n))


def test_what_follows_the_fall_is_read_as_it_was_recorded_and_other_series_are_not():
    """The second of three series falls from 299 to 200 at its hundredth second and then rises to 289."""
    fell = np.concatenate([line(200, 1, 100), line(200, 1, 90)])

    found = read(line(200, 1, 190), fell, np.full(190, 200.0), every_s=2.0)

    assert list(found) == [1]
    assert found[1].values.tolist() == line(200, 1, 90).tolist()
    assert (found[1].elapsed_s[0], found[1].elapsed_s[-1]) == (200.0, 378.0)
    assert (found[1].range_bytes, found[1].restarted) == (89.0, True)
    assert np.isnan(found[1].onset_s)


@given(
    at=st.integers(40, 120),
    share=st.floats(0.2, 0.45),
    slope=st.floats(0.1, 2.0),
    scale=st.sampled_from([1.0, 1024.0, float(MIB)]),
)
@settings(max_examples=30, deadline=None)
def test_wherever_it_falls_and_at_any_size_the_reading_begins_at_the_first_sample_after(at, share, slope, scale):
    """The same rate before and after, and at least 80 of 200 samples after: a restart."""
    level = line(200, slope, 200)
    level[at:] -= share * level[at - 1]

    found = read(scale * level)

    assert found[0].values.tolist() == (scale * level[at:]).tolist()
    assert found[0].restarted


@pytest.mark.parametrize(("level", "is_read"), [(170, True), (171, False)])
def test_a_fall_is_far_from_fifteen_hundredths_of_the_level_on(level, is_read):
    """From 200, whose 15 % are 30."""
    assert bool(read(np.concatenate([line(141, 1, 60), line(level, 1, 60)]))) is is_read


@pytest.mark.parametrize(("n", "is_read"), [(51, True), (50, False)])
def test_a_third_of_the_time_must_lie_after_the_fall(n, is_read):
    """Of 0 to 150 s it is 50 s, from second 100 to 150."""
    assert bool(read(np.concatenate([line(200, 1, 100), line(250, 1, n)]))) is is_read


@pytest.mark.parametrize(("n", "is_read"), [(75, True), (74, False)])
def test_a_fall_that_took_back_all_growth_is_a_restart_from_75_samples_on(n, is_read):
    """It grew by 99 to 299, fell to 200 where it began, and has not passed 299 again."""
    assert bool(read(np.concatenate([line(200, 1, 100), line(200, 1, n)]))) is is_read


@pytest.mark.parametrize(("level", "is_read"), [(220, True), (208, False)])
def test_after_a_few_samples_a_fall_must_have_left_a_part_of_the_growth(level, is_read):
    """It grew by 76 in 38 s, whose 80 % are 60.8: by medians of three it falls from 274 to 222, or to 210."""
    assert bool(read(np.concatenate([line(200, 2, 40), line(level, 2, 29)]))) is is_read


@pytest.mark.parametrize(
    ("slope", "is_read"), [(1.45, True), (1.55, False), (0.7, True), (0.64, False), (0.0, False), (-0.2, False)]
)
def test_the_rate_after_is_within_one_and_a_half_times_that_before(slope, is_read):
    """It falls from 499 to 300 and stays below 499: only the rates decide."""
    assert bool(read(np.concatenate([line(400, 1, 100), line(300, slope, 80)]))) is is_read


def test_the_first_quarter_before_the_fall_is_no_part_of_its_rate():
    """25 samples at 8 a second, then 75 at 1 a second."""
    quick = line(100, 8, 25)
    fell = np.concatenate([quick, line(quick[-1] + 1, 1, 75), line(200, 1, 80)])

    assert read(fell)[0].restarted


@pytest.mark.parametrize(("last", "is_read"), [([299, 300, 301], True), ([299, 299, 301], False)])
def test_growth_at_another_rate_is_read_where_the_last_three_have_outgrown_all_before(last, is_read):
    """At 0.4 a second after 1 a second, from below the highest before, which is 299: no restart, but growth."""
    found = read(np.concatenate([line(200, 1, 100), line(240, 0.4, 97), last]))

    assert [reading.restarted for reading in found.values()] == [False] * is_read


@pytest.mark.parametrize(("other", "is_read"), [(24, True), (25, False)])
def test_a_second_fall_by_a_quarter_of_the_largest_is_a_collection(other, is_read):
    """The largest is by 100, from 299 to 199."""
    level = np.concatenate([line(200, 1, 100), line(199, 1, 100)])
    level[190:] -= other + 1  # one more is the rise of a step

    assert bool(read(level)) is is_read


@pytest.mark.parametrize(("n", "is_read"), [(4, True), (3, False)])
def test_fewer_than_four_samples_before_a_fall_show_no_growth_before_it(n, is_read):
    assert bool(read(np.concatenate([line(100, 10, n), line(80, 2, 40)]))) is is_read


def test_nothing_is_read_of_what_never_fell_or_has_too_few_samples():
    assert read(np.full(40, 200.0), line(200, 1, 40), np.array([200.0]), np.full(40, np.nan), np.zeros(0)) == {}
