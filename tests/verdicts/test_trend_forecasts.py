"""A leak that runs on reaches its limit on the day its time is up; what comes and goes comes back after its gap."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.budgets.breach_forecast import LATEST
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.units import MIB
from memanalysis.verdicts.trend_forecasts import FORECAST_COLUMNS, find_returns, forecast_services

LAST = pd.Timestamp("2026-01-05 12:00", tz="UTC")
HOUR = pd.Timedelta(hours=1)
BUDGET = Budget(max_bytes=100 * MIB, warning_bytes=80 * MIB, critical_bytes=95 * MIB)


def make_leak(service: str, in_s: float, **cells: Any) -> dict[str, Any]:
    """A verdict that a run leaks and reaches 512 MiB this many seconds after its last sample."""
    leak = {
        "service": service, "run_id": f"{service}-1", "family_id": None, "role": "single", "is_leak": True,
        "limit_bytes": 512 * MIB, "time_to_exhaustion_s": in_s, "time_to_exhaustion_low_s": in_s / 2,
        "time_to_exhaustion_high_s": 2 * in_s,
    }  # fmt: skip
    return leak | cells


def make_samples(service: str, values_mib: np.ndarray) -> pd.DataFrame:
    """An hour from sample to sample, the last at ``LAST``."""
    hours = np.arange(values_mib.size)
    return pd.DataFrame(
        {
            "service": service,
            "run_id": f"{service}-1",
            "timestamp": LAST - (values_mib.size - 1 - hours) * HOUR,
            "elapsed_s": hours * 3600.0,
            "rss_bytes": pd.array((values_mib * MIB).round().astype("int64"), dtype="Int64"),
        }
    )


def forecast(
    *verdicts: dict[str, Any],
    services: tuple[str, ...] = ("api", "jobs"),
    latest: tuple[tuple[Any, ...], ...] = (("api", "api-1", LAST, True), ("jobs", "jobs-1", LAST, True)),
    samples: pd.DataFrame | None = None,
    budgets: Mapping[str, Budget] | None = None,
) -> list[dict[str, Any]]:
    runs = pd.DataFrame(list(latest), columns=["service", "run_id", "last", "is_running"])
    rows = make_samples("api", np.ones(1))[:0] if samples is None else samples
    found = forecast_services(
        pd.DataFrame({"service": services}),
        runs,
        pd.DataFrame(list(verdicts), columns=list(make_leak("", 0))),
        find_returns(rows, runs[runs["is_running"]], budgets or {}),
    )
    assert tuple(found.columns) == FORECAST_COLUMNS
    assert {str(found[name].dtype) for name in ("next", "next_low", "next_high")} == {"datetime64[us, UTC]"}
    return found.to_dict("records")


def test_a_leak_reaches_its_limit_so_long_after_the_last_sample_of_its_run() -> None:
    (row,) = forecast(make_leak("api", 7200.4))

    assert row == {
        "service": "api", "run_id": "api-1", "limit_bytes": 512 * MIB, "method": "growth", "next": LAST + 2 * HOUR,
        "next_low": LAST + HOUR, "next_high": LAST + 4 * HOUR + pd.Timedelta(seconds=1),
    }  # fmt: skip


def test_the_soonest_comes_first_and_of_a_service_the_soonest_alone() -> None:
    latest = (*(("api", f"api-{n}", LAST, True) for n in (1, 2)), *((name, name, LAST, True) for name in ("b", "a")))
    verdicts = [
        make_leak("api", 30), make_leak("api", 10, run_id="api-2"), make_leak("b", 20, run_id="b"),
        make_leak("a", 20, run_id="a"),
    ]  # fmt: skip
    found = forecast(*verdicts, services=("a", "b", "api"), latest=latest)

    assert [row["run_id"] for row in found] == ["api-2", "a", "b"]


@pytest.mark.parametrize(
    "cells",
    [
        {"is_leak": False},
        {"time_to_exhaustion_s": np.nan},
        {"time_to_exhaustion_s": np.inf},
        {"run_id": "api-0"},
        {"service": "other"},
    ],
)
def test_what_is_no_leak_never_reaches_its_limit_or_is_not_the_latest_run_has_no_day(cells: dict[str, Any]) -> None:
    assert forecast(make_leak("api", 10) | cells) == []


def test_only_shown_services_whose_run_goes_on_have_a_day() -> None:
    latest = (("api", "api-1", LAST, False), ("jobs", "jobs-1", LAST, True))

    assert forecast(make_leak("api", 10), make_leak("jobs", 10), services=("api",), latest=latest) == []
    assert forecast(make_leak("api", 10), make_leak("jobs", 10), services=("api", "jobs"), latest=latest)


def test_a_family_goes_on_as_long_as_its_master() -> None:
    family = make_leak("api", 3600, role="family", run_id=None, family_id="api-1")

    assert [(row["run_id"], row["next"]) for row in forecast(family)] == [("api-1", LAST + HOUR)]
    assert forecast(make_leak("api", 3600, role="worker", run_id="api-7", family_id="api-1")) == []


def test_a_family_without_a_master_goes_on_as_long_as_one_of_its_members() -> None:
    """It has the run of the member that was recorded last; a family whose master has ended has no day."""
    family = make_leak("api", 3600, role="family", run_id="family 7-1750000000", family_id="7-1750000000")
    members = [
        make_leak("api", 0, role=role, run_id=f"api-{n}", family_id="7-1750000000", is_leak=False)
        for n, role in enumerate(("worker", "worker", "worker"), start=1)
    ]
    latest = (("api", "api-1", LAST - HOUR, True), ("api", "api-2", LAST, True), ("api", "api-3", LAST, False))
    over = tuple((*run[:3], False) for run in latest)

    found = forecast(*members, family, latest=latest)
    assert [(row["run_id"], row["next"]) for row in found] == [("api-2", LAST + HOUR)]
    assert forecast(*members, family, latest=over) == []
    assert forecast(members[0], members[1], members[2] | {"role": "master"}, family, latest=latest) == []


def test_a_day_from_2200_on_is_not_given() -> None:
    left = (LATEST - LAST).total_seconds()
    (row,) = forecast(make_leak("api", left - 1, time_to_exhaustion_high_s=left))

    assert row["next"] == LATEST - pd.Timedelta(seconds=1)
    assert row["next_high"] is pd.NaT
    assert forecast(make_leak("api", left)) == []
    assert forecast(make_leak("api", 1e300)) == []


SWINGING = np.where(np.arange(93) % 24 < 2, 120.0, 50.0)
"""MiB of a batch that is over its budget for two of 24 hours; the last rise was at hour 72, and the next is at 96."""


def test_what_came_and_went_each_day_comes_back_on_the_next() -> None:
    """The record ends at hour 92, so the next rise is four hours on, known no closer than a step."""
    (row,) = forecast(samples=make_samples("jobs", SWINGING), budgets={"jobs": BUDGET})

    assert (row["service"], row["run_id"], row["limit_bytes"]) == ("jobs", "jobs-1", 100 * MIB)
    assert row["method"] == "recurrence"
    assert abs(row["next"] - (LAST + 4 * HOUR)) < HOUR
    assert row["next_low"] < LAST + 4 * HOUR < row["next_high"]


def test_only_the_budget_counts_and_only_of_a_service_that_goes_on_and_has_one() -> None:
    """At 90 MiB the series reaches its warning level each day, and its budget never."""
    warned = make_samples("jobs", np.minimum(SWINGING, 90))
    over = make_samples("jobs", SWINGING)

    assert forecast(samples=warned, budgets={"jobs": BUDGET}) == []
    assert forecast(samples=over, budgets={}) == []
    assert forecast(samples=over, budgets={"api": BUDGET}) == []
    assert forecast(samples=over, budgets={"jobs": BUDGET}, latest=(("jobs", "jobs-1", LAST, False),)) == []


def test_a_leak_that_also_swings_has_the_day_of_its_line() -> None:
    found = forecast(make_leak("jobs", 240 * 3600), samples=make_samples("jobs", SWINGING), budgets={"jobs": BUDGET})

    assert [(row["method"], row["next"]) for row in found] == [("growth", LAST + 240 * HOUR)]
