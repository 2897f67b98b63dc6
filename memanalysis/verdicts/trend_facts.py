"""What the last weeks of a ledger were: read, judged and joined, before it is put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.leaks.leak_histories import OPEN_STATUSES, find_leak_histories
from memanalysis.analysis.recorded_still import are_recorded_still
from memanalysis.analysis.weekly_levels import (
    SLOPE_COLUMNS,
    WEEK,
    measure_curves,
    measure_levels,
    measure_slopes,
    number_weeks,
)
from memanalysis.errors import LedgerError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.policy.model import Policy
from memanalysis.verdicts.assess import assess_ledger
from memanalysis.verdicts.comparison_sides import find_releases
from memanalysis.verdicts.engines import IN_PROCESS, Engine
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.release_changes import add_worse_lines, compare_releases, list_worse
from memanalysis.verdicts.run_ends import RunEnd, read_run_ends
from memanalysis.verdicts.run_selection import find_latest
from memanalysis.verdicts.sources import find_budgets
from memanalysis.verdicts.trend_events import list_deaths, read_marks
from memanalysis.verdicts.trend_forecasts import forecast_services
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["SERVICE_COLUMNS", "STRETCHES", "TrendFacts", "read_trend"]

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

MAX_NUMBERED = 50
"""Services whose growth is fitted week by week and release by release, the worst; of others the levels are known."""

SERVICE_COLUMNS = (
    "service",
    "status",
    "fingerprint",
    "shape",
    "severity",
    *SLOPE_COLUMNS,
    "level_bytes",
    "level_before_bytes",
    "change_bytes",
    "peak_bytes",
    "limit_bytes",
    "headroom_bytes",
    "responsible_file",
    "responsible_line",
    "release",
    "runs",
    "deaths",
    "first",
    "last",
    "is_running",
)
"""A row a service, the worst first. ``status`` is that of the worst of its leaks that nobody accepted and that is not
gone, null where there is none, and then slope and severity are those of its latest run. ``level_bytes`` and
``peak_bytes`` are the median and the highest size in the last week, ``change_bytes`` is that median less the one of the
week before. ``headroom_bytes`` is what the highest size in the last week left of the budget or limit. ``deaths`` are
runs of these weeks that did not end in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendFacts:
    """The last weeks of a ledger.

    Parameters
    ----------
    since, until, curve_begin : Timestamp
        The beginning of the first week, the last sample of the ledger, which ends the last week, and the beginning of
        the curves: the first sample in these weeks.
    weeks : int
        How many weeks there are.
    services : DataFrame
        ``SERVICE_COLUMNS``.
    by_week : DataFrame
        ``service``, ``week`` (0 is the first), and the columns of `measure_levels` and `measure_slopes`.
    releases : DataFrame
        As `add_worse_lines` gives them: what each release changed, and the line that became worse.
    leaks : DataFrame
        As `find_leak_histories` gives them, those that were seen in these weeks.
    breaches, forecasts : DataFrame
        As `find_breaches` gives them, those at the critical level, and as `forecast_services` gives them.
    curves : DataFrame
        As `measure_curves` gives them.
    starts : DataFrame
        ``service``, ``release`` and ``first``, the moment of its first sample in these weeks.
    marks, deaths : DataFrame
        As `read_marks` and `list_deaths` give them.
    ends : mapping
        How each run in ``deaths`` ended.
    budgets : mapping
        The budget of each service that has one.
    """

    since: pd.Timestamp
    until: pd.Timestamp
    curve_begin: pd.Timestamp
    weeks: int
    services: pd.DataFrame
    by_week: pd.DataFrame
    releases: pd.DataFrame
    leaks: pd.DataFrame
    breaches: pd.DataFrame
    forecasts: pd.DataFrame
    curves: pd.DataFrame
    starts: pd.DataFrame
    marks: pd.DataFrame
    deaths: pd.DataFrame
    ends: Mapping[tuple[str, str], RunEnd]
    budgets: Mapping[str, Budget]


def read_trend(
    ledger: Ledger,
    *,
    weeks: int,
    policy: Policy | None,
    known_leaks: KnownLeaksSource,
    today: date | None,
    engine: Engine = IN_PROCESS,
) -> TrendFacts:
    """Return what the last weeks of a ledger were.

    Parameters
    ----------
    ledger : Ledger
        All of its runs are judged, so that a leak's first day is known where it lies before these weeks.
    weeks : int
        How many weeks, back from the last sample.
    policy, known_leaks, today, engine
        As for `assess`.

    Raises
    ------
    LedgerError
        The ledger cannot be read, or has no sample that has a service and a time.
    """
    samples = ledger.read("samples", columns=SAMPLE_COLUMNS)
    samples = samples[samples["timestamp"].notna() & samples["service"].notna()]
    if samples.empty:
        raise LedgerError(
            f"trend needs samples that have a service and a time, but {ledger.path} has none. Record a program first."
        )
    until = samples["timestamp"].max()
    since = until - weeks * WEEK
    ends = read_run_ends(ledger)
    verdicts = assess_ledger(ledger, policy, ends=ends, engine=engine)
    verdicts = apply_known_leaks(verdicts, resolve_known_leaks(known_leaks, call="trend"), today=today)
    verdicts = verdicts[~is_unreadable(verdicts)]
    runs = _read_runs(ledger, samples, until, ends)
    recent = samples[samples["timestamp"] > since]
    shown = runs[runs["last"] > since]
    names = sorted(shown["service"].unique())
    budgets = find_budgets(policy, names, find_limits=lambda: read_limits(ledger, names))
    histories = find_leak_histories(verdicts, runs, recent=until - WEEK)
    week = number_weeks(recent["timestamp"], until=until, weeks=weeks)
    by_week = measure_levels(recent, week).astype({"group": "int64"})
    services = _rank(_make_services(verdicts, shown, histories, by_week, last_week=weeks - 1), until)
    services = services.assign(
        headroom_bytes=_find_headroom(services, recent[recent["timestamp"] > until - WEEK], budgets)
    )
    worst = recent[recent["service"].isin(services["service"].head(MAX_NUMBERED))]
    release = _name_releases(worst, runs)
    breaches = find_breaches(recent, budgets)
    deaths = list_deaths(shown, ends)
    return TrendFacts(
        since=since,
        until=until,
        curve_begin=recent["timestamp"].min(),
        weeks=weeks,
        services=services[list(SERVICE_COLUMNS)],
        by_week=by_week.merge(measure_slopes(worst, week.loc[worst.index]), on=["service", "group"], how="left").rename(
            columns={"group": "week"}
        ),
        releases=_compare_releases(ledger, worst, release, runs),
        leaks=histories[histories["last_seen"] > since].reset_index(drop=True),
        breaches=breaches[breaches["level"] == "critical"].reset_index(drop=True),
        forecasts=forecast_services(services, find_latest(shown), verdicts, recent, budgets),
        curves=measure_curves(worst, since=recent["timestamp"].min(), until=until, stretches=STRETCHES),
        starts=measure_levels(worst, release).rename(columns={"group": "release"})[["service", "release", "first"]],
        marks=read_marks(ledger, since=since, services=services["service"].head(MAX_NUMBERED)),
        deaths=deaths,
        ends={key: ends[key] for key in zip(deaths["service"], deaths["run_id"], strict=True)},
        budgets=budgets,
    )


def _compare_releases(
    ledger: Ledger, samples: pd.DataFrame, release: "pd.Series[Any]", runs: pd.DataFrame
) -> pd.DataFrame:
    """Return what each release changed; sites are read of the services alone that became worse."""
    changes = compare_releases(samples, release)
    worse = list_worse(changes)["service"].unique().tolist()
    sites = ledger.read("sites", services=worse) if worse else pd.DataFrame(columns=["service", "run_id"])
    return add_worse_lines(changes, sites, _name_releases(sites, runs))


def _read_runs(
    ledger: Ledger, samples: pd.DataFrame, until: pd.Timestamp, ends: Mapping[tuple[str, str], RunEnd]
) -> pd.DataFrame:
    """Return the span and release of each run, whether it goes on at the end, and whether it died."""
    keys = ["service", "run_id"]
    spans = samples.groupby(keys, observed=True, dropna=False)["timestamp"].agg(first="min", last="max", count="size")
    releases = find_releases(ledger)[[*keys, "name"]].drop_duplicates(keys, keep="last")
    runs = spans.reset_index().merge(releases, on=keys, how="left")
    found = [ends.get(key) for key in zip(runs["service"], runs["run_id"], strict=True)]
    has_ended = np.array([end is not None and end.has_ended for end in found], dtype=bool)
    return runs[[*keys, "first", "last"]].assign(
        release=runs["name"].astype(object).where(runs["name"].notna(), None),
        is_running=~has_ended & are_recorded_still(runs, until=until).to_numpy(dtype=bool),
        is_death=[end is not None and end.is_death for end in found],
    )


def _name_releases(samples: pd.DataFrame, runs: pd.DataFrame) -> "pd.Series[Any]":
    """Return the release of each row; None where it is not known."""
    of_run = runs.set_index(["service", "run_id"])["release"].to_dict()
    keys = zip(samples["service"], samples["run_id"], strict=True)
    return pd.Series([of_run.get(key) for key in keys], index=samples.index, dtype=object)


def _make_services(
    verdicts: pd.DataFrame, runs: pd.DataFrame, histories: pd.DataFrame, by_week: pd.DataFrame, *, last_week: int
) -> pd.DataFrame:
    """Return a row a service: of its open leaks the worst, else the verdict on its latest run, and its last weeks."""
    of_runs = runs.groupby("service", observed=True).agg(
        first=("first", "min"),
        last=("last", "max"),
        runs=("run_id", "nunique"),
        deaths=("is_death", "sum"),
        is_running=("is_running", "any"),
    )
    latest = find_latest(runs)
    release = latest.sort_values("last").groupby("service", observed=True)["release"].last()
    verdict = _choose_verdicts(verdicts, latest).set_index("service")
    is_open = histories["status"].ne("gone") & histories["known"].ne("accepted").fillna(value=True)
    leaks = histories[is_open].drop_duplicates("service").set_index("service")
    rows = of_runs.join(verdict[["shape", "limit_bytes"]])
    for name in ("severity", *SLOPE_COLUMNS):
        rows[name] = (
            leaks[name].reindex(rows.index).where(rows.index.isin(leaks.index), verdict[name].reindex(rows.index))
        )
    for name in ("status", "fingerprint", "responsible_file", "responsible_line"):
        rows[name] = leaks[name].reindex(rows.index)
    now, before = (
        by_week[by_week["group"] == week].set_index("service").reindex(rows.index)
        for week in (last_week, last_week - 1)
    )
    rows["level_bytes"], rows["peak_bytes"] = now["level_bytes"], now["peak_bytes"]
    rows["level_before_bytes"] = before["level_bytes"]
    rows["change_bytes"] = rows["level_bytes"] - rows["level_before_bytes"]
    return rows.assign(release=release).reset_index()


def _choose_verdicts(verdicts: pd.DataFrame, latest: pd.DataFrame) -> pd.DataFrame:
    """Return one verdict a service, on the worst of its latest runs."""
    is_family = verdicts["role"].eq("family").fillna(value=False).astype(bool)
    keys = set(zip(latest["service"], latest["run_id"], strict=True))
    run_ids = verdicts["run_id"].where(~is_family, verdicts["family_id"])
    own = verdicts[[key in keys for key in zip(verdicts["service"], run_ids, strict=True)]]
    rank = own.assign(
        leak=own["is_leak"].astype(bool), slope=own["slope_bytes_per_s"].astype("float64").fillna(-np.inf)
    )
    ordered = rank.sort_values(["leak", "slope"], ascending=[False, False], kind="stable")
    return ordered.drop_duplicates("service")


def _rank(services: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Sort by growth, leaks by the hour before others by the last week; what was not recorded in that comes last."""
    has_leak = services["status"].isin(OPEN_STATUSES)
    rank = pd.DataFrame(
        {
            "has_no_leak": ~has_leak,
            "is_old": services["last"] <= until - WEEK,
            "growth": -services["slope_bytes_per_s"]
            .where(has_leak, services["change_bytes"])
            .astype("float64")
            .fillna(-np.inf),
            "service": services["service"].astype(str),
        }
    )
    return services.loc[rank.sort_values(list(rank.columns), kind="stable").index].reset_index(drop=True)


def _find_headroom(services: pd.DataFrame, last_week: pd.DataFrame, budgets: Mapping[str, Budget]) -> pd.Series:
    """Return what the highest size in the last week left of the budget, or of the recorded limit; NaN without one."""
    levels = {
        str(service): Budget(max_bytes=float(limit), warning_bytes=0.0, critical_bytes=np.inf)
        for service, limit in zip(services["service"], services["limit_bytes"], strict=True)
        if pd.notna(limit)
    }
    levels |= {
        service: Budget(max_bytes=budget.max_bytes, warning_bytes=0.0, critical_bytes=np.inf, metric=budget.metric)
        for service, budget in budgets.items()
    }
    left = find_breaches(last_week, levels).groupby("service", observed=True)["headroom_bytes"].min()
    return services["service"].map(left).astype(float)
