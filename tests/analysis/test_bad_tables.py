"""Tables of sites and samples that are empty, unknown, doubled or mixed up give a clear answer, and no warning."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import as_samples, ramp

from memanalysis.analysis.budgets.breach_forecast import forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.leaks.growth_attribution import assess_sites, attribute_growth
from memanalysis.analysis.leaks.site_ranking import RESPONSIBLE_COLUMNS, pick_responsible_lines, rank_sites
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.errors import InvalidArgumentError, MissingColumnError
from memanalysis.units import MIB

BUDGETS = {"shop": Budget(max_bytes=200 * MIB, warning_bytes=160 * MIB, critical_bytes=190 * MIB)}

SITES = pd.DataFrame(
    {
        "service": "shop",
        "run_id": "run-1",
        "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.repeat([0, 20, 40, 59], 2), unit="s"),
        "site_id": ["a", "b"] * 4,
        "file": ["app/make.py", "app/keep.py"] * 4,
        "line": [12, 3] * 4,
        "function": ["make", "keep"] * 4,
        "size_bytes": [50_000, 4_000, 250_000, 20_000, 450_000, 36_000, 650_000, 52_000],
        "live_allocations": [500, 1, 2_500, 1, 4_500, 1, 6_500, 1],
    }
)
"""A maker and the list that keeps what it makes."""

CALLS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "rank_sites": rank_sites,
    "pick_responsible_lines": lambda sites: pick_responsible_lines(rank_sites(sites)),
    "assess_sites": assess_sites,
    "attribute_growth": lambda sites: attribute_growth(sites=sites),
    "assess_samples": lambda sites: assess_samples(as_samples(ramp(n=60)), sites=sites),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": np.nan},
        {"size_bytes": np.inf},
        {"size_bytes": pd.array([pd.NA] * 8, dtype="Int64")},
        {"live_allocations": np.nan},
        {"timestamp": pd.NaT},
        {"file": None},
        {"service": None},
        {"run_id": None},
        {"function": None},
    ],
    ids=str,
)
def test_what_is_unknown_throughout_is_no_error(call, change):
    call(SITES.assign(**change))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_part_of_a_table_is_no_error(call):
    for part in (SITES.iloc[:0], SITES.iloc[:1], SITES.iloc[:2], SITES.iloc[:3]):
        call(part)


def test_unknown_and_infinite_sizes_are_left_out_of_the_rank():
    broken = SITES.assign(size_bytes=[np.nan, np.inf, *SITES["size_bytes"].iloc[2:]])

    pd.testing.assert_frame_equal(rank_sites(broken), rank_sites(SITES.iloc[2:]))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_order_index_and_doubled_rows_do_not_matter(call):
    mixed = pd.concat([SITES, SITES.iloc[::2]]).sample(frac=1, random_state=3).set_index(pd.Index([5] * 12))

    pd.testing.assert_frame_equal(call(mixed), call(SITES))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_negative_size_is_refused(call):
    with pytest.raises(InvalidArgumentError, match="needs size_bytes of 0 or more, but got -1"):
        call(SITES.assign(size_bytes=-1))


@pytest.mark.parametrize("column", ["run_id", "site_id", "file", "size_bytes", "timestamp"])
def test_a_missing_column_of_the_sites_is_named(column):
    with pytest.raises(MissingColumnError, match=rf"needs the columns \['{column}'\]"):
        assess_samples(as_samples(ramp(n=60)), sites=SITES.drop(columns=column))


@pytest.mark.parametrize(
    "samples",
    [as_samples(ramp(n=60)).assign(run_id=None), as_samples(ramp(n=60))[["service", "elapsed_s", "rss_bytes"]]],
)
def test_a_run_without_an_id_finds_its_sites(samples):
    verdict = assess_samples(samples, sites=SITES.assign(run_id=None)).iloc[0]

    assert (verdict["responsible_file"], verdict["allocated_file"]) == ("app/keep.py", "app/make.py")


def test_where_nothing_is_ranked_nobody_is_guilty():
    assert pick_responsible_lines(rank_sites(SITES.iloc[:0])).columns.tolist() == list(RESPONSIBLE_COLUMNS)


@pytest.mark.parametrize(
    "change",
    [
        {"rss_bytes": np.nan},
        {"rss_bytes": np.inf},
        {"timestamp": pd.NaT},
        {"run_id": None},
        {"elapsed_s": 0.0},
    ],
    ids=str,
)
def test_samples_that_tell_nothing_forecast_nothing_or_without_a_date(change):
    forecast = forecast_breaches(as_samples(ramp(n=60)).assign(**change), BUDGETS)

    assert len(forecast) == 3
    assert forecast["in_s"].isna().tolist() == forecast["method"].eq("unknown").tolist()
    if "timestamp" in change:
        assert forecast["next"].isna().all()
