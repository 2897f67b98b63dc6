"""The level and slope of a run are those that were put in, and two sides are read where they can be compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories import Series, as_samples, ramp

from memanalysis.analysis.measured_runs import MeasuredRuns, find_moments, measure_runs
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.units import KIB, MIB


def make_runs(spans: dict[str, tuple[float, float]], *, slope: float = 2.0, half_width: float = 0.4) -> MeasuredRuns:
    """Runs with the line 100 + slope * t over these seconds."""
    ones = np.ones(len(spans))
    first_s, last_s = np.array(list(spans.values()), dtype=float).reshape(-1, 2).T
    return MeasuredRuns(
        run_ids=list(spans),
        slope=slope * ones,
        slope_error=half_width / 2 * ones,
        low=(slope - half_width) * ones,
        high=(slope + half_width) * ones,
        intercept=100.0 * ones,
        level_error=3.0 * ones,
        level_freedom=1000.0 * ones,
        first_s=first_s,
        last_s=last_s,
        grows=ones > 0,
    )


def measure(samples: pd.DataFrame) -> MeasuredRuns:
    return measure_runs(samples, DEFAULT_THRESHOLDS)


def measure_noise(make_level, *, runs: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Levels of runs of 200 samples about 100 MiB, and their standard errors, in MiB."""
    t = np.arange(200.0)
    frames = [
        as_samples(Series(t, (100 + make_level(np.random.default_rng(seed), t)) * MIB, 0.0), run_id=f"run-{seed}")
        for seed in range(runs)
    ]
    found = measure(pd.concat(frames))
    side = found.levels_at(found.middle_s, scatter=0.0)
    return side.values / MIB, side.errors / MIB


def test_a_run_that_grows_is_read_off_its_line_at_the_moment() -> None:
    """At second 50: 100 + 2 * 50 = 200, and the error is hypot(3, 0.2 * 20), 20 s from the middle: 5."""
    side = make_runs({"a": (10, 50)}).levels_at(np.array([50.0]), scatter=0.0)
    falling = make_runs({"a": (10, 50)}, slope=-1.0).levels_at(np.array([50.0]), scatter=0.0)

    assert side.values == pytest.approx([200])
    assert falling.values == pytest.approx([50])
    assert side.errors == falling.errors == pytest.approx([5])


@pytest.mark.parametrize("half_width", [2.0, 5.0])
def test_a_run_without_a_trend_is_read_at_its_middle(half_width: float) -> None:
    """Its interval reaches zero: at second 30 it is at 160, known as well as its level."""
    for slope in (2.0, -2.0):
        runs = make_runs({"a": (10, 50)}, slope=slope, half_width=half_width)
        side = runs.levels_at(np.array([50.0]), scatter=0.0)

        assert not runs.is_trending.any()
        assert side.values == pytest.approx([100 + slope * 30])
        assert side.errors == pytest.approx([3])


def test_runs_of_one_program_differ_by_a_share_of_what_they_are() -> None:
    """Of 200 a share of 0.06 is 12, and hypot(5, 12) is 13; of a fall by 2 a share of 0.075 is 0.15."""
    runs = make_runs({"a": (10, 50)})
    falling = make_runs({"a": (10, 50)}, slope=-2.0)

    assert runs.levels_at(np.array([50.0]), scatter=0.06).errors == pytest.approx([13])
    assert falling.slopes(scatter=0.075).errors == pytest.approx([0.25])
    assert falling.slopes(scatter=0.075).values == pytest.approx([-2])


def test_runs_are_read_at_one_age_at_which_all_were_judged() -> None:
    """Middles are 15 and 40, and 25; all were judged from 20 to 20, so 15 is too early."""
    before, after = make_runs({"a": (10, 20), "b": (20, 60)}), make_runs({"c": (10, 40)})
    at_before_s, at_after_s = find_moments(before, after)

    assert at_before_s.tolist() == [20, 20]
    assert at_after_s.tolist() == [20]


def test_the_earliest_middle_is_the_age_where_all_were_judged_there() -> None:
    """Middles are 30 and 50, and 25."""
    before, after = make_runs({"a": (20, 40), "b": (10, 90)}), make_runs({"c": (15, 35)})
    assert [moments.tolist() for moments in find_moments(before, after)] == [[25, 25], [25]]


def test_runs_that_share_no_age_are_read_as_near_to_it_as_they_were() -> None:
    before, after = make_runs({"a": (0, 10)}), make_runs({"c": (100, 200)})

    assert [moments.tolist() for moments in find_moments(before, after)] == [[5], [100]]
    assert [moments.tolist() for moments in find_moments(after, before)] == [[100], [5]]


def test_a_run_that_was_cut_in_two_is_read_at_the_cut() -> None:
    """Run a ends at 30 and goes on at 40; the sides of run b overlap, which is no cut: it is read at 20."""
    before, after = make_runs({"a": (10, 30), "b": (10, 30)}), make_runs({"b": (20, 36), "a": (40, 80)})
    at_before_s, at_after_s = find_moments(before, after)

    assert at_before_s.tolist() == [35, 20]
    assert at_after_s.tolist() == [20, 35]


def test_the_cut_takes_no_change_from_a_leak_that_goes_on() -> None:
    before, after = make_runs({"a": (10, 30)}), make_runs({"a": (40, 80)})
    levels = [
        side.levels_at(moments, scatter=0.0).values[0]
        for side, moments in zip((before, after), find_moments(before, after), strict=True)
    ]
    assert levels[0] == levels[1] == pytest.approx(170)


def test_a_straight_line_is_found_whatever_the_order_of_its_rows() -> None:
    """50 MiB and 1 MiB a second for 60 samples: the last is of second 59, and 59 s less a warm-up are judged."""
    samples = as_samples(ramp(n=60))
    for rows in (samples, samples.sample(frac=1, random_state=1)):
        runs = measure(rows)

        assert runs.run_ids == ["run-1"]
        assert runs.slope == pytest.approx([MIB])
        assert runs.intercept == pytest.approx([50 * MIB])
        assert runs.last_s.tolist() == [59]
        assert 0 < runs.first_s[0] < 59 / 2
        assert runs.is_trending.all()


def test_each_run_has_its_own_line_and_what_is_too_short_has_none() -> None:
    """Runs are in the order in which they come first; one without an id is a run too."""
    frames = [
        as_samples(ramp(slope=2 * MIB), run_id="b"),
        as_samples(ramp(n=2), run_id="short"),
        as_samples(ramp(slope=-100 * KIB), run_id="a"),
        as_samples(ramp(slope=3 * MIB)).assign(run_id=None),
    ]
    runs = measure(pd.concat(frames))

    assert runs.run_ids[:2] == ["b", "a"]
    assert pd.isna(runs.run_ids[2])
    assert runs.slope == pytest.approx([2 * MIB, -100 * KIB, 3 * MIB])
    assert runs.size == 3


def test_without_a_run_that_can_be_fitted_there_is_nothing() -> None:
    for samples in (as_samples(ramp(n=2)), as_samples(ramp(n=20)).iloc[:0]):
        assert measure(samples).size == 0


def test_samples_of_the_end_are_not_read() -> None:
    """The last ten samples, of the end, would fall by half."""
    series = ramp(n=60)
    at_end = series.elapsed_s >= 50
    bent = replace(series, values=np.where(at_end, series.values / 2, series.values))
    samples = as_samples(bent, label=np.where(at_end, "end", None))

    assert measure(samples).last_s.tolist() == [49]
    assert measure(samples).slope == pytest.approx([MIB])


def test_the_error_of_a_level_is_of_the_size_by_which_levels_scatter() -> None:
    """White noise of 1 MiB: the mean of 150 samples is uncertain by 0.08 MiB, and no fit knows the level better."""
    levels, errors = measure_noise(lambda rng, t: rng.normal(size=t.size))

    assert levels.mean() == pytest.approx(100, abs=0.05)
    assert levels.std() < 1.5 * np.median(errors)
    assert np.median(errors) < 1.5 / np.sqrt(150)


def test_a_cycle_is_no_noise() -> None:
    """Swings of 20 MiB up and down, whose phase differs: the level is the middle of the swing, and known better than
    if what they scatter by, 20 / sqrt(2) MiB, were noise of 150 samples, which is 1.2 MiB."""
    levels, errors = measure_noise(
        lambda rng, t: 20 * np.sin(2 * np.pi * (t / 20 + rng.uniform())) + 0.1 * rng.normal(size=t.size), runs=10
    )

    assert levels == pytest.approx(np.full(10, 100.0), abs=1)
    assert np.median(errors) < 1.2
    assert (
        errors.max() < 20 * np.pi / 10 / 4
    )  # in a twentieth of a period a sine moves by pi / 10 of its height at most


@pytest.mark.parametrize("period", [15.0, 17.3, 20.0, 25.0, 30.0])
@pytest.mark.parametrize("drift", [0.0, 0.2])
def test_the_level_of_a_cycle_is_the_middle_of_its_swing_within_its_error(period: float, drift: float) -> None:
    """The median over whole periods of a sine is 0. The judged stretch is that after the warm-up, 51 to 199 s.

    Fifteen samples of a period show its median to a twelfth of the swing only, in each period alike.
    """
    t = np.arange(200.0)
    rng = np.random.default_rng(5)
    swings = [20 * np.sin(2 * np.pi * (t / period + rng.uniform())) for _ in range(8)]
    frames = [
        as_samples(Series(t, (100 + drift * (t - 125) + swing) * MIB, 0.0), run_id=f"run-{number}")
        for number, swing in enumerate(swings)
    ]
    found = measure(pd.concat(frames))
    off = (found.intercept + found.slope * found.middle_s) / MIB - 100

    assert found.middle_s == pytest.approx(np.full(8, 125.0))
    assert np.all(np.abs(off) <= 2 * found.level_error / MIB)
    assert found.level_error.max() < 3 * MIB


def test_two_records_of_one_program_have_one_level_whether_a_cycle_is_seen_in_them_or_not() -> None:
    """Batches of 50 MiB for a fifth of each minute, 210 MiB on average: an hour has 60, two minutes hardly two."""
    rng = np.random.default_rng(7)
    levels, errors = [], []
    for seconds in (140, 3600):
        t = np.arange(float(seconds))
        size = 200 + 50 * ((t + 7) % 60 < 12) + rng.normal(0, 0.5, t.size)
        found = measure(as_samples(Series(t, size * MIB, 0.0), run_id="one"))
        levels.append((found.intercept + found.slope * found.middle_s)[0] / MIB)
        errors.append(found.level_error[0] / MIB)

    assert levels[0] == pytest.approx(210, abs=2 * errors[0])
    assert levels[1] == pytest.approx(210, abs=2 * errors[1])
    assert errors[0] < 15
    assert errors[1] < 1
