"""The verdict on a series and on the runs of a ledger."""

import numpy as np
import pandas as pd
import pytest
from factories import as_samples, plateau, ramp, sawtooth, steps

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.errors import MissingColumnError
from memanalysis.units import KIB, MIB


@pytest.mark.slow
def test_a_ramp_is_a_leak_with_its_slope_and_the_time_that_is_left():
    """50 MiB + 1 MiB/s for 99 s: 149 MiB at the end, so 107 s remain to 256 MiB."""
    series = ramp(slope=MIB, n=100)
    verdict = assess_series(series.elapsed_s, series.values, limit_bytes=256 * MIB)

    assert verdict.is_leak
    assert verdict.shape == "growing"
    assert verdict.slope_bytes_per_s == pytest.approx(MIB)
    assert verdict.time_to_exhaustion_s == pytest.approx(107)
    assert verdict.severity == "critical"
    assert verdict.evidence.windows == 7
    assert verdict.evidence.n_samples == 100
    assert verdict.sentence.endswith("It reaches its limit of 256 MiB in about 1.8 min.")


def test_a_series_over_its_limit_has_no_time_left():
    """149 MiB at the end, of 100."""
    series = ramp(slope=MIB, n=100)
    verdict = assess_series(series.elapsed_s, series.values, limit_bytes=100 * MIB)

    assert verdict.time_to_exhaustion_s == 0
    assert verdict.sentence.endswith("It is over its limit of 100 MiB, by 49.0 MiB.")


@pytest.mark.parametrize("series", [plateau(), steps(), sawtooth()], ids=["plateau", "step", "sawtooth"])
def test_what_is_no_leak_has_no_severity_and_no_forecast(series):
    verdict = assess_series(series.elapsed_s, series.values, limit_bytes=256 * MIB)

    assert not verdict.is_leak
    assert verdict.severity == "none"
    assert verdict.time_to_exhaustion_s is None


@pytest.mark.parametrize(("times", "values"), [([], []), ([1], [5]), ([1, 1, 1, 1, 1], [5, 6, 7, 8, 9])])
def test_too_little_is_inconclusive_and_says_what_is_missing(times, values):
    verdict = assess_series(times, values)

    assert verdict.shape == "inconclusive"
    assert not verdict.is_leak
    assert verdict.sentence.startswith("Too early to judge: needs ")


@pytest.mark.parametrize(
    ("slope", "sensitivity", "severity"),
    [
        (50 * KIB, "medium", "low"),
        (150 * KIB, "medium", "medium"),
        (150 * KIB, "high", "high"),
        (150 * KIB, "low", "low"),
        (800 * KIB, "medium", "critical"),
    ],
)
def test_severity_follows_growth_against_the_policys_threshold(slope, sensitivity, severity):
    """Over 75 s at 1 GiB the thresholds of 10 MiB and 20 % are 10 MiB: 150 KiB/s is 1.1 times that."""
    series = ramp(slope=slope, n=101, start=1024 * MIB)
    verdict = assess_series(series.elapsed_s, series.values, rules=SeverityRules(sensitivity=sensitivity))

    assert verdict.severity == severity


def test_two_services_in_one_frame_are_judged_apart():
    samples = pd.concat([as_samples(ramp(n=100), service="b"), as_samples(plateau(), service="a")])
    verdicts = assess_samples(samples)

    assert verdicts.columns.tolist() == list(VERDICT_COLUMNS)
    assert verdicts["service"].tolist() == ["a", "b"]
    assert verdicts["is_leak"].tolist() == [False, True]


def test_the_order_of_rows_does_not_matter():
    samples = as_samples(ramp(n=100, sigma=MIB))
    shuffled = samples.sample(frac=1, random_state=1)

    pd.testing.assert_frame_equal(assess_samples(samples), assess_samples(shuffled))


def test_the_input_is_not_changed():
    samples = as_samples(ramp(n=50))
    before = samples.copy(deep=True)
    assess_samples(samples, budgets_bytes={"shop": 256 * MIB})

    pd.testing.assert_frame_equal(samples, before)


def test_the_lower_of_budget_and_recorded_limit_counts():
    samples = as_samples(ramp(n=100), limit_bytes=512 * MIB)

    assert assess_samples(samples)["limit_bytes"].item() == 512 * MIB
    assert assess_samples(samples, budgets_bytes={"shop": 256 * MIB})["limit_bytes"].item() == 256 * MIB


@pytest.mark.parametrize(
    ("traced", "allocator_free", "origin"),
    [
        (ramp(n=100, start=MIB).values, None, "python"),
        (np.full(100, 5.0 * MIB), None, "native"),
        (np.full(100, 5.0 * MIB), ramp(n=100, start=MIB, slope=0.9 * MIB).values, "fragmentation"),
        (None, None, "unknown"),
    ],
)
def test_origin_is_known_by_what_grows_along_with_rss(traced, allocator_free, origin):
    columns = {"traced_bytes": traced, "allocator_free_bytes": allocator_free}
    samples = as_samples(ramp(n=100), **{name: values for name, values in columns.items() if values is not None})

    assert assess_samples(samples)["origin"].item() == origin


def test_the_tracer_of_short_windows_is_not_taken_off_the_growth_of_rss():
    """Where nothing but windows was traced, ``rss_bytes`` is without the tracer already."""
    samples = as_samples(
        ramp(n=100),
        traced_bytes=np.full(100, np.nan),
        tracer_bytes=np.where(np.arange(100) % 10 == 0, ramp(n=100, start=MIB, slope=0.95 * MIB).values, np.nan),
        allocator_free_bytes=ramp(n=100, start=MIB, slope=0.1 * MIB).values,
    )

    assert assess_samples(samples)["origin"].item() == "unknown"


def test_a_leak_that_only_traced_bytes_show_is_given_on_traced_bytes():
    samples = as_samples(steps(n=100), traced_bytes=ramp(n=100, start=MIB, slope=20 * KIB).values)
    verdict = assess_samples(samples).iloc[0]

    assert verdict["is_leak"]
    assert verdict["metric"] == "traced_bytes"
    assert verdict["origin"] == "python"


def test_a_verdict_names_the_line_that_carries_the_growth():
    sites = pd.DataFrame(
        {
            "run_id": "run-1",
            "service": "shop",
            "timestamp": pd.to_datetime(np.repeat([0, 50, 99], 2), unit="s", utc=True),
            "site_id": ["a", "b"] * 3,
            "file": ["shop.py", "lib.py"] * 3,
            "line": [12, 90] * 3,
            "function": ["remember", None] * 3,
            "size_bytes": [MIB, 8 * MIB, 45 * MIB, 8 * MIB, 91 * MIB, 8 * MIB],
        }
    )
    verdict = assess_samples(as_samples(ramp(n=100)), sites=sites).iloc[0]

    assert (verdict["responsible_file"], verdict["responsible_line"], verdict["responsible_function"]) == (
        "shop.py",
        12,
        "remember",
    )
    assert verdict["responsible_share"] == 1
    assert verdict["sentence"].endswith("100% of the traced growth comes from shop.py:12 in remember.")


def test_a_missing_column_is_named_beside_those_that_are_there():
    with pytest.raises(MissingColumnError) as caught:
        assess_samples(pd.DataFrame({"service": ["a"], "bytes": [1]}))
    assert str(caught.value) == (
        "assess needs the columns ['rss_bytes'], but the frame has ['bytes', 'service']. "
        "Pass a table of a ledger, or rename your columns."
    )


def test_an_empty_frame_has_no_verdicts():
    empty = as_samples(ramp(n=10)).iloc[:0]
    assert assess_samples(empty).columns.tolist() == list(VERDICT_COLUMNS)
    assert assess_samples(empty).empty


def test_interleaved_runs_and_categories_are_judged_as_runs_that_lie_apart():
    apart = pd.concat(
        [
            as_samples(ramp(n=60), service="b", run_id="2"),
            as_samples(plateau(), service="b", run_id="1"),
            as_samples(ramp(n=60), service="a", run_id="2"),
        ]
    )
    mixed = apart.sample(frac=1, random_state=3).astype({"service": "category", "run_id": "category"})
    verdicts = assess_samples(mixed)

    assert verdicts[["service", "run_id"]].to_numpy().tolist() == [["a", "2"], ["b", "1"], ["b", "2"]]
    pd.testing.assert_frame_equal(verdicts, assess_samples(apart))


def test_a_fleet_is_judged_as_each_of_its_series_alone():
    """More series than are judged in one thread."""
    rng = np.random.default_rng(5)
    slopes = rng.choice([0.0, 0.2], size=9000)
    levels = 200 * MIB + (slopes[:, None] * np.arange(20) + rng.normal(size=(9000, 20))) * MIB
    names = np.array([f"s{i:04d}" for i in range(9000)])
    samples = pd.DataFrame(
        {"service": np.repeat(names, 20), "elapsed_s": np.tile(np.arange(20.0), 9000), "rss_bytes": levels.ravel()}
    )
    verdicts = assess_samples(samples)

    assert verdicts["service"].tolist() == names.tolist()
    for i in (0, 4095, 4096, 8999):
        alone = assess_series(np.arange(20.0), levels[i])
        assert verdicts.loc[i, "slope_bytes_per_s"] == pytest.approx(alone.slope_bytes_per_s)
        assert (verdicts.loc[i, "shape"], verdicts.loc[i, "sentence"]) == (alone.shape, alone.sentence)


def test_the_limit_is_that_of_the_last_moment_whatever_the_order_of_rows():
    samples = as_samples(ramp(n=100), limit_bytes=[2**30] * 60 + [2**32] * 40)
    turned = pd.concat([samples[50:], samples[:50]])

    assert assess_samples(turned)["limit_bytes"].item() == 2**32


def test_runs_with_a_retainer_and_runs_without_one_are_judged_together():
    """In run a a container of another file grew with what leaked, in run b none did."""
    minutes = pd.date_range("2026-01-01", periods=20, freq="min", tz="UTC")
    rows = []
    for number, minute in enumerate(minutes):
        for run in "ab":
            made = {"site_id": "m", "file": "x/maker.py", "line": 10, "function": "make"}
            sizes = {"size_bytes": 1_000_000 + 100_000 * number, "live_allocations": 1000 * (number + 1)}
            rows.append({"service": "shop", "run_id": run, "timestamp": minute} | made | sizes)
        retainer = {"site_id": "k", "file": "x/retainer.py", "line": 20, "function": "keep"}
        sizes = {"size_bytes": 8_000 * (number + 1), "live_allocations": 1}
        rows.append({"service": "shop", "run_id": "a", "timestamp": minute} | retainer | sizes)
    samples = pd.concat([as_samples(ramp(n=100), run_id=run) for run in "ab"])

    verdicts = assess_samples(samples, sites=pd.DataFrame(rows)).set_index("run_id")

    assert verdicts[["responsible_file", "allocated_file"]].to_numpy(dtype=object, na_value=None).tolist() == [
        ["x/retainer.py", "x/maker.py"],
        ["x/maker.py", None],
    ]
    assert "is allocated in x/maker.py:10 in make" in verdicts.loc["a", "sentence"]
    assert "comes from x/maker.py:10 in make" in verdicts.loc["b", "sentence"]


def test_sites_without_runs_are_those_of_samples_without_runs():
    minutes = pd.date_range("2026-01-01", periods=20, freq="min", tz="UTC")
    site = {"service": "shop", "site_id": "m", "file": "x/maker.py", "line": 10}
    sites = pd.DataFrame([site | {"timestamp": at, "size_bytes": 100_000 * n} for n, at in enumerate(minutes)])
    samples = as_samples(ramp(n=100)).drop(columns="run_id")

    assert assess_samples(samples, sites=sites)["responsible_file"].item() == "x/maker.py"
