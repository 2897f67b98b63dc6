"""When a budget is breached next is forecast from growth or from what came back before, with an honest interval."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from factories import Series, ar_noise, as_samples, plateau, ramp, sawtooth
from numpy.typing import NDArray

from memanalysis.analysis.budgets.breach_forecast import FORECAST_COLUMNS, forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.budgets.recurrence import find_episode_starts, forecast_recurrence
from memanalysis.errors import MissingColumnError
from memanalysis.units import MIB

BUDGET = Budget(max_bytes=200 * MIB, warning_bytes=160 * MIB, critical_bytes=190 * MIB)


def batches(starts: NDArray[np.float64], *, n: int, seed: int = 0, every: int = 1) -> Series:
    """A batch of 5 samples over 100 MiB at each start, a sample every few seconds, 50 MiB between."""
    times = np.arange(0.0, n, every)
    values = 50 * MIB + np.random.default_rng(seed).normal(size=times.size) * MIB / 10
    for start in starts:
        values[(times >= start) & (times < start + 5)] = 170 * MIB
    return Series(times, values, 0.0)


def test_a_leak_is_forecast_by_its_line_for_each_level():
    """50 MiB + 1 MiB/s: at second 99 it holds 149 MiB, so 11 s, 41 s and 51 s are left."""
    forecast = forecast_breaches(as_samples(ramp(n=100, sigma=MIB / 100)), {"shop": BUDGET})

    assert forecast.columns.tolist() == list(FORECAST_COLUMNS)
    assert forecast["level"].tolist() == ["warning", "critical", "budget"]
    assert forecast["method"].tolist() == ["growth"] * 3
    assert forecast["in_s"].tolist() == pytest.approx([11, 41, 51], abs=0.1)
    assert (forecast["in_low_s"] <= forecast["in_s"]).all()
    assert (forecast["in_s"] <= forecast["in_high_s"]).all()
    expected = pd.Timestamp("2026-01-01 00:02:20", tz="UTC")
    assert abs(forecast["next"][1] - expected) < pd.Timedelta(seconds=0.1)


def test_what_comes_back_every_hundred_seconds_comes_back_then():
    """The last of nine started at second 850 and the samples end at 899: 51 s are left."""
    samples = as_samples(batches(np.arange(50.0, 900, 100), n=900))
    forecast = forecast_breaches(samples, {"shop": BUDGET}).set_index("level")

    assert forecast.loc["warning", ["method", "episodes"]].tolist() == ["recurrence", 9]
    assert forecast.loc["warning", "in_s"] == pytest.approx(51, abs=0.5)
    assert forecast.loc["warning", "in_low_s"] == pytest.approx(50, abs=1)
    assert forecast.loc["warning", "in_high_s"] == pytest.approx(52, abs=1)
    assert forecast.loc["warning", "next"] == samples["timestamp"].iloc[-1] + pd.Timedelta(
        seconds=forecast.loc["warning", "in_s"]
    ).round("us")


@pytest.mark.parametrize("level", ["critical", "budget"])
def test_a_level_that_was_never_reached_is_unknown_and_not_never(level):
    forecast = forecast_breaches(as_samples(batches(np.arange(50.0, 900, 100), n=900)), {"shop": BUDGET})
    row = forecast.set_index("level").loc[level]

    assert (row["method"], row["episodes"]) == ("unknown", 0)
    assert row[["in_s", "in_low_s", "in_high_s"]].isna().all()
    assert row[["next", "next_low", "next_high"]].isna().all()


@pytest.mark.parametrize(
    "series",
    [
        batches(np.array([100.0, 200]), n=300),
        batches(np.arange(50.0, 900, 100), n=3000),
        plateau(),
        Series(np.array([0.0]), np.array([170.0 * MIB]), 0.0),
        Series(np.arange(50.0), np.full(50, np.nan), 0.0),
    ],
    ids=["two episodes", "ended long ago", "plateau", "one sample", "nothing known"],
)
def test_what_is_not_known_is_unknown(series):
    samples = as_samples(Series(series.elapsed_s, np.nan_to_num(series.values), 0.0))
    samples["rss_bytes"] = samples["rss_bytes"].where(np.isfinite(series.values))
    forecast = forecast_breaches(samples, {"shop": BUDGET})

    assert forecast["method"].tolist() == ["unknown"] * 3
    assert forecast["in_s"].isna().all()


def test_a_sawtooth_that_crosses_regularly_is_forecast():
    """Teeth of 25 s from 50 to 90 MiB reach 80 MiB at 18.75 s of each; the last sample is at 199 s, its 24th second."""
    budget = Budget(max_bytes=100 * MIB, warning_bytes=80 * MIB, critical_bytes=95 * MIB)
    row = forecast_breaches(as_samples(sawtooth()), {"shop": budget}).iloc[0]

    assert (row["method"], row["episodes"]) == ("recurrence", 8)
    assert row["in_s"] == pytest.approx(20, abs=1)


def test_noise_about_the_level_is_one_episode():
    times = np.arange(600.0)
    values = 160 + 20 * np.sin(2 * np.pi * times / 200) + np.random.default_rng(1).normal(size=600)

    starts = find_episode_starts(times, values, 160.0)
    assert starts == pytest.approx([200, 400], abs=8)


Gaps = Callable[[np.random.Generator, float], NDArray[np.float64]]

MANY = 200
"""Gaps of one process: more than are ever used."""


def _jittered(rng: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """Every so often, give or take a tenth."""
    return mean * (1 + 0.1 * rng.normal(size=MANY))


def _filling(rng: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """As long as a buffer takes to fill: a gamma of eight parts."""
    return rng.gamma(8, mean / 8, size=MANY)


def _at_random(rng: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """Arrivals of a Poisson process, no two closer than a batch lasts."""
    return 10 + rng.exponential(mean - 10, size=MANY)


def _of_two_kinds(rng: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """Short gaps and long ones by chance, as of two jobs."""
    return np.where(rng.random(MANY) < 0.3, 0.4 * mean, 1.26 * mean) + rng.normal(size=MANY)


@pytest.mark.parametrize("make_gaps", [_jittered, _filling, _at_random, _of_two_kinds])
@pytest.mark.parametrize("episodes", [3, 5, 12, 30])
def test_the_interval_holds_the_next_start_in_nine_of_ten(make_gaps: Gaps, episodes: int) -> None:
    """Forecast at a moment that has nothing to do with the episodes and their number."""
    rng = np.random.default_rng(episodes)
    held, forecasts, asked = 0, 0, 0
    for _ in range(1500):
        mean = rng.uniform(80, 300)
        starts = rng.uniform(0, mean) + np.cumsum(np.maximum(6.0, make_gaps(rng, mean)))
        now_s = np.floor(mean * (episodes + rng.uniform(0.5, 1.5)))
        past = starts[starts <= now_s]
        forecast = forecast_recurrence(np.floor(past), now_s=now_s, step_s=1.0)
        asked += past.size >= 3
        forecasts += not np.isnan(forecast.time_s)
        held += forecast.low_s <= starts[past.size] - now_s <= forecast.high_s

    assert forecasts >= 0.95 * asked
    assert held / forecasts >= 0.88


@pytest.mark.slow
def test_the_interval_of_growth_holds_the_first_breach_in_nine_of_ten():
    rng = np.random.default_rng(7)
    held, forecasts = 0, 0
    for _ in range(150):
        n = int(rng.integers(100, 300))
        noise = ar_noise(rng, 2000, lag_one=0.5, sigma=rng.uniform(0.2, 2) * MIB)
        whole = 50 * MIB + rng.uniform(0.15, 0.3) * MIB * np.arange(2000) + noise
        reached = int(np.flatnonzero(whole >= BUDGET.warning_bytes)[0])
        if reached <= n:
            continue
        row = forecast_breaches(as_samples(Series(np.arange(float(n)), whole[:n], 0.0)), {"shop": BUDGET}).iloc[0]
        forecasts += row["method"] == "growth"
        held += row["in_low_s"] <= reached - (n - 1) <= row["in_high_s"]

    assert forecasts >= 100
    assert held / forecasts >= 0.88


def test_runs_and_services_are_forecast_apart_and_without_a_budget_not_at_all():
    samples = pd.concat(
        [
            as_samples(ramp(n=100), service="a"),
            as_samples(plateau(), service="b", run_id="run-2"),
            as_samples(ramp(n=100), service="c"),
        ]
    )
    forecast = forecast_breaches(samples, {"a": BUDGET, "b": BUDGET})

    assert forecast[["service", "method"]].drop_duplicates().values.tolist() == [["a", "growth"], ["b", "unknown"]]
    assert forecast_breaches(samples, {}).columns.tolist() == list(FORECAST_COLUMNS)
    assert forecast_breaches(samples.iloc[:0], {"a": BUDGET}).empty


def test_the_memory_of_the_family_counts_where_a_ledger_has_it():
    """The process is flat at 50 MiB, its family grows by 1 MiB/s: the budget is the family's."""
    samples = as_samples(plateau(n=100)).astype({"service": "string"})
    samples["family_bytes"] = pd.Series(50 * MIB + np.arange(100) * MIB, index=samples.index, dtype="Int64")
    forecast = forecast_breaches(samples, {"shop": BUDGET})

    assert forecast["metric"].tolist() == ["family_bytes"] * 3
    assert forecast["in_s"].tolist() == pytest.approx([11, 41, 51], abs=0.1)


def test_order_and_doubled_rows_do_not_matter():
    samples = as_samples(batches(np.arange(50.0, 900, 100), n=900))
    mixed = pd.concat([samples, samples.iloc[::3]]).sample(frac=1, random_state=1)

    pd.testing.assert_frame_equal(
        forecast_breaches(mixed, {"shop": BUDGET}), forecast_breaches(samples, {"shop": BUDGET})
    )


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumnError, match=r"forecast_breaches needs the columns \['run_id'\]"):
        forecast_breaches(as_samples(ramp(n=10)).drop(columns="run_id"), {"shop": BUDGET})
