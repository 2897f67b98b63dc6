"""What the last weeks of a ledger were: read, judged and joined, before it is put into words.

A part of the services is in memory at a time, wherever an engine works on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.leaks.leak_histories import OPEN_STATUSES, find_leak_histories
from memanalysis.analysis.recorded_still import are_recorded_still
from memanalysis.analysis.weekly_levels import SLOPE_COLUMNS, WEEK
from memanalysis.errors import LedgerError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.policy.model import Policy
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.comparison_sides import find_releases
from memanalysis.verdicts.engines import IN_PROCESS, Engine
from memanalysis.verdicts.family_runs import list_runs
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.ledger_parts import plan_service_parts
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.release_changes import add_worse_lines, judge_releases, list_worse
from memanalysis.verdicts.run_ends import RunEnd, read_run_ends, read_runs
from memanalysis.verdicts.run_selection import find_latest
from memanalysis.verdicts.run_spans import read_spans
from memanalysis.verdicts.sources import find_budgets
from memanalysis.verdicts.trend_events import list_deaths, read_marks
from memanalysis.verdicts.trend_forecasts import forecast_services
from memanalysis.verdicts.trend_parts import (
    LineJob,
    ServiceJob,
    WeeksJob,
    WeeksOfPart,
    WorstServices,
    contrast_worse,
    join_frames,
    measure_weeks,
    measure_worst,
)
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["SERVICE_COLUMNS", "TrendFacts", "read_trend"]

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
    with engine:
        runs = read_runs(ledger)
        parts = plan_service_parts([ledger], max_bytes=engine.max_part_bytes)
        spans = read_spans(ledger, parts=parts, engine=engine)
        spans = spans[spans["service"].notna() & spans["last"].notna()]
        if spans.empty:
            raise LedgerError(
                f"trend needs samples that have a service and a time, but {ledger.path} has none. "
                "Record a program first."
            )
        until = spans["last"].max()
        ends = read_run_ends(ledger, runs)
        verdicts = judge_ledger(ledger, policy, runs=runs, ends=ends, engine=engine).verdicts
        verdicts = apply_known_leaks(verdicts, resolve_known_leaks(known_leaks, call="trend"), today=today)
        verdicts = verdicts[~is_unreadable(verdicts)]
        runs = _describe_runs(spans, runs, until, ends)
        return _TrendReader(ledger, parts, verdicts, runs, ends, until=until, weeks=weeks, engine=engine).read(policy)


class _TrendReader:
    """Reads the weeks of a ledger whose runs are known and judged."""

    def __init__(
        self,
        ledger: Ledger,
        parts: Sequence[LedgerPart],
        verdicts: pd.DataFrame,
        runs: pd.DataFrame,
        ends: Mapping[tuple[str, str], RunEnd],
        *,
        until: pd.Timestamp,
        weeks: int,
        engine: Engine,
    ) -> None:
        self._ledger = ledger
        self._parts = parts
        self._verdicts = verdicts
        self._runs = runs
        self._ends = ends
        self._until = until
        self._weeks = weeks
        self._engine = engine

    def read(self, policy: Policy | None) -> TrendFacts:
        """Return what these weeks were."""
        since, until = self._until - self._weeks * WEEK, self._until
        shown = self._runs[self._runs["last"] > since]
        names = sorted(shown["service"].unique())
        budgets = find_budgets(policy, names, find_limits=lambda: read_limits(self._ledger, names))
        latest = find_latest(shown)
        verdict = _choose_verdicts(self._verdicts, latest).set_index("service")
        parts = self._measure_weeks(latest, budgets, verdict)
        by_week = join_frames([part.levels for part in parts]).astype({"group": "int64"})
        histories = find_leak_histories(self._verdicts, self._runs, recent=until - WEEK)
        services = _make_services(verdict, shown, latest, histories, by_week, last_week=self._weeks - 1)
        services = _rank(services, until)
        left = join_frames([part.headroom for part in parts]).set_index("service")["headroom_bytes"]
        services = services.assign(headroom_bytes=services["service"].map(left).astype(float))
        begin = min(part.first for part in parts if pd.notna(part.first))
        worst = services["service"].head(MAX_NUMBERED).tolist()
        measured = self._measure_worst(worst, begin)
        deaths = list_deaths(shown, self._ends)
        slopes = join_frames([one.slopes for one in measured])
        return TrendFacts(
            since=since,
            until=until,
            curve_begin=begin,
            weeks=self._weeks,
            services=services[list(SERVICE_COLUMNS)],
            by_week=_sort(by_week.merge(slopes, on=["service", "group"], how="left"), "group").rename(
                columns={"group": "week"}
            ),
            releases=self._compare_releases(measured),
            leaks=histories[histories["last_seen"] > since].reset_index(drop=True),
            breaches=_sort(join_frames([part.breaches for part in parts]), "first"),
            forecasts=forecast_services(
                services, latest, self._verdicts, join_frames([part.returns for part in parts])
            ),
            curves=_sort(join_frames([one.curves for one in measured]), "timestamp"),
            starts=_sort(join_frames([one.starts for one in measured]), "release"),
            marks=read_marks(self._ledger, since=since, services=worst),
            deaths=deaths,
            ends={key: self._ends[key] for key in zip(deaths["service"], deaths["run_id"], strict=True)},
            budgets=budgets,
        )

    def _measure_weeks(
        self, latest: pd.DataFrame, budgets: Mapping[str, Budget], verdict: pd.DataFrame
    ) -> list[WeeksOfPart]:
        levels = _find_levels(verdict["limit_bytes"], budgets)
        running = latest.loc[latest["is_running"], ["service", "run_id"]]
        jobs = [
            WeeksJob(part=part, weeks=self._weeks, until=self._until, running=running, budgets=budgets, levels=levels)
            for part in self._parts
        ]
        return list(self._engine.map(partial(measure_weeks, self._ledger), jobs))

    def _measure_worst(self, services: Sequence[str], begin: pd.Timestamp) -> list[WorstServices]:
        jobs = [
            ServiceJob(
                services=tuple(names),
                weeks=self._weeks,
                until=self._until,
                begin=begin,
                releases=self._find_releases(names),
            )
            for names in self._split(services)
        ]
        return list(self._engine.map(partial(measure_worst, self._ledger), jobs))

    def _compare_releases(self, measured: Sequence[WorstServices]) -> pd.DataFrame:
        """Return what each release changed; sites are read of the services alone that became worse."""
        changes = judge_releases(release for one in measured for release in one.releases)
        worse = list_worse(changes)
        jobs = [
            LineJob(worse=worse[worse["service"].isin(names)], releases=self._find_releases(names))
            for names in self._split(worse["service"].unique().tolist())
        ]
        contrasts = self._engine.map(partial(contrast_worse, self._ledger), jobs)
        return add_worse_lines(changes, [contrast for found in contrasts for contrast in found])

    def _split(self, services: Sequence[str]) -> list[list[str]]:
        """Return one service after the other; of a file, which would be read again for each, all at once."""
        alone = [[service] for service in services]
        return alone if self._ledger.reads_by_service or not alone else [list(services)]

    def _find_releases(self, services: Sequence[str]) -> dict[tuple[Any, Any], str]:
        own = self._runs[self._runs["service"].isin(services) & self._runs["release"].notna()]
        return {(row["service"], row["run_id"]): row["release"] for row in own.to_dict("records")}


def _describe_runs(
    spans: pd.DataFrame, runs: pd.DataFrame, until: pd.Timestamp, ends: Mapping[tuple[str, str], RunEnd]
) -> pd.DataFrame:
    """Return the span and release of each run, whether it goes on at the end, and whether it died."""
    rows = find_releases(runs)[["service", "run_id", "name"]].itertuples(index=False, name=None)
    releases = {(service, run_id): name for service, run_id, name in rows if pd.notna(name)}
    keys = list(zip(spans["service"], spans["run_id"], strict=True))
    found = [ends.get(key) for key in keys]
    has_ended = np.array([end is not None and end.has_ended for end in found], dtype=bool)
    return spans[["service", "run_id", "first", "last"]].assign(
        release=pd.Series([releases.get(key) for key in keys], index=spans.index, dtype=object),
        is_running=~has_ended & are_recorded_still(spans, until=until).to_numpy(dtype=bool),
        is_death=[end is not None and end.is_death for end in found],
    )


def _sort(rows: pd.DataFrame, then: str) -> pd.DataFrame:
    return rows.sort_values(["service", then], kind="stable", ignore_index=True)


def _make_services(
    verdict: pd.DataFrame,
    runs: pd.DataFrame,
    latest: pd.DataFrame,
    histories: pd.DataFrame,
    by_week: pd.DataFrame,
    *,
    last_week: int,
) -> pd.DataFrame:
    """Return a row a service: of its open leaks the worst, else the verdict on its latest run, and its last weeks."""
    of_runs = runs.groupby("service", observed=True).agg(
        first=("first", "min"),
        last=("last", "max"),
        runs=("run_id", "nunique"),
        deaths=("is_death", "sum"),
        is_running=("is_running", "any"),
    )
    release = latest.sort_values("last").groupby("service", observed=True)["release"].last()
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
    keys = set(zip(latest["service"], latest["run_id"], strict=True))
    own = verdicts[[any(key in keys for key in runs) for runs in list_runs(verdicts)]]
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


def _find_levels(limits: "pd.Series[Any]", budgets: Mapping[str, Budget]) -> dict[str, Budget]:
    """Return what is used up by each service: its budget, else its recorded limit; each sample counts against it."""
    levels = {
        str(service): Budget(max_bytes=float(limit), warning_bytes=0.0, critical_bytes=np.inf)
        for service, limit in limits.items()
        if pd.notna(limit)
    }
    return levels | {
        service: Budget(max_bytes=budget.max_bytes, warning_bytes=0.0, critical_bytes=np.inf, metric=budget.metric)
        for service, budget in budgets.items()
    }
