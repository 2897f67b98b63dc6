"""Measure the last weeks of some services, wherever they are worked on: of all others nothing is held.

First each service is measured for the table of all. Then the worst are measured week by week and release by release.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.weekly_levels import (
    CURVE_COLUMNS,
    SLOPE_COLUMNS,
    WEEK,
    measure_curves,
    measure_levels,
    measure_slopes,
    number_weeks,
)
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.verdicts.release_changes import LineContrast, ReleaseContrast, contrast_lines, contrast_releases
from memanalysis.verdicts.trend_forecasts import find_returns

__all__ = [
    "STRETCHES",
    "LineJob",
    "ServiceJob",
    "WeeksJob",
    "WeeksOfPart",
    "WorstServices",
    "contrast_worse",
    "join_frames",
    "measure_weeks",
    "measure_worst",
]

SAMPLE_COLUMNS = (
    "run_id",
    "service",
    "timestamp",
    "elapsed_s",
    "label",
    "rss_bytes",
    "traced_bytes",
    "uss_bytes",
    "pss_bytes",
    "family_bytes",
    "container_bytes",
)

STRETCHES = 168
"""Points of a small chart: four a day in six weeks."""


class _Weeks(Protocol):
    """The time that is measured: these weeks, back from a moment that ends the last one."""

    @property
    def weeks(self) -> int: ...
    @property
    def until(self) -> pd.Timestamp: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeksJob:
    """What is to be measured of the services of a part.

    Parameters
    ----------
    part : LedgerPart
        Where their samples are.
    weeks : int
        How many weeks.
    until : Timestamp
        The last sample of the ledger, which ends the last week.
    running : DataFrame
        ``service`` and ``run_id`` of the latest runs that go on.
    budgets, levels : mapping
        The budget of each service that has one, and what counts as used up: that budget, else the recorded limit.
    """

    part: LedgerPart
    weeks: int
    until: pd.Timestamp
    running: pd.DataFrame
    budgets: Mapping[str, Budget]
    levels: Mapping[str, Budget]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeksOfPart:
    """What the services of a part were in these weeks.

    Parameters
    ----------
    first : Timestamp
        The first sample in these weeks; NaT without one.
    levels : DataFrame
        As `measure_levels` gives them, a group a week.
    breaches, returns : DataFrame
        As `find_breaches`, those at the critical level, and `find_returns` give them.
    headroom : DataFrame
        ``service``, and ``headroom_bytes`` that were left at least in the last week.
    """

    first: pd.Timestamp
    levels: pd.DataFrame
    breaches: pd.DataFrame
    returns: pd.DataFrame
    headroom: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceJob:
    """Which services are to be measured week by week and release by release.

    Parameters
    ----------
    services : tuple of str
        These.
    weeks, until
        As of `WeeksJob`.
    begin : Timestamp
        Where the curves begin.
    releases : mapping
        The release of each run that has one, by service and run.
    """

    services: tuple[str, ...]
    weeks: int
    until: pd.Timestamp
    begin: pd.Timestamp
    releases: Mapping[tuple[Any, Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstServices:
    """Some services week by week and release by release.

    Parameters
    ----------
    slopes : DataFrame
        As `measure_slopes` gives them, a group a week.
    curves : DataFrame
        As `measure_curves` gives them.
    starts : DataFrame
        ``service``, ``release`` and ``first``, the moment of its first sample in these weeks.
    releases : list of ReleaseContrast
        What each release changed, not yet judged.
    """

    slopes: pd.DataFrame
    curves: pd.DataFrame
    starts: pd.DataFrame
    releases: list[ReleaseContrast] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineJob:
    """The releases with which some services became worse, and the release of each of their runs."""

    worse: pd.DataFrame
    releases: Mapping[tuple[Any, Any], str]


def measure_weeks(ledger: Ledger, job: WeeksJob) -> WeeksOfPart:
    """Measure the services of a part: their levels, and what reached a budget or will."""
    recent = _read_recent(ledger, job, part=job.part)
    last_week = recent[recent["timestamp"] > job.until - WEEK]
    breaches = find_breaches(recent, job.budgets)
    left = find_breaches(last_week, job.levels)
    return WeeksOfPart(
        first=recent["timestamp"].min(),
        levels=measure_levels(recent, number_weeks(recent["timestamp"], until=job.until, weeks=job.weeks)),
        breaches=breaches[breaches["level"] == "critical"],
        returns=find_returns(recent, job.running, job.budgets),
        headroom=left.groupby("service", observed=True)["headroom_bytes"].min().reset_index(),
    )


def measure_worst(ledger: Ledger, job: ServiceJob) -> WorstServices:
    """Measure some services, each by itself, so that none depends on which others are measured with it."""
    recent = _read_recent(ledger, job, services=job.services)
    slopes = [pd.DataFrame(columns=["service", "group", *SLOPE_COLUMNS])]
    curves = [pd.DataFrame(columns=list(CURVE_COLUMNS))]
    starts = [pd.DataFrame(columns=["service", "release", "first"])]
    releases: list[ReleaseContrast] = []
    for service in job.services:
        own = recent[recent["service"].eq(service).fillna(value=False).astype(bool)]
        release = _name_releases(own, job.releases)
        slopes.append(measure_slopes(own, number_weeks(own["timestamp"], until=job.until, weeks=job.weeks)))
        curves.append(measure_curves(own, since=job.begin, until=job.until, stretches=STRETCHES))
        began = measure_levels(own, release).rename(columns={"group": "release"})
        starts.append(began[["service", "release", "first"]])
        releases += contrast_releases(own, release)
    return WorstServices(
        slopes=join_frames(slopes), curves=join_frames(curves), starts=join_frames(starts), releases=releases
    )


def contrast_worse(ledger: Ledger, job: LineJob) -> list[LineContrast]:
    """Contrast the lines of the releases with which some services became worse."""
    sites = ledger.read("sites", services=job.worse["service"].unique().tolist())
    return contrast_lines(job.worse, sites, _name_releases(sites, job.releases))


def join_frames(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all frames; empty ones are left out, because their types would count."""
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled or list(frames[:1]), ignore_index=True)


def _read_recent(ledger: Ledger, job: _Weeks, **chosen: Any) -> pd.DataFrame:
    """Return the samples of these weeks that have a service and a time."""
    since = job.until - job.weeks * WEEK
    samples = ledger.read("samples", columns=SAMPLE_COLUMNS, since=since, **chosen)
    return samples[(samples["timestamp"] > since) & samples["service"].notna()]


def _name_releases(rows: pd.DataFrame, releases: Mapping[tuple[Any, Any], str]) -> "pd.Series[Any]":
    """Return the release of each row; None where it is not known."""
    keys = ["service", "run_id"]
    numbers = rows.groupby(keys, dropna=False, observed=True, sort=False).ngroup().to_numpy(dtype=np.int64)
    runs = rows.drop_duplicates(keys)
    names = [releases.get(key) for key in zip(runs["service"], runs["run_id"], strict=True)]
    return pd.Series(np.array(names, dtype=object)[numbers], index=rows.index, dtype=object)
