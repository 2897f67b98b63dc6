"""Make a report from a ledger, and render it in the wanted format.

`report` joins ledger, policy and analysis once. What a report holds is bounded: series are thinned to what a chart can
show, lists are cut and state how much was left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from os import PathLike
from pathlib import Path, PurePath
from typing import Any, overload

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.budgets.breach_forecast import forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.fleet_overview import summarize_fleet
from memanalysis.analysis.leaks.site_ranking import count_from_start, rank_sites
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.reports.drawn_series import fit_line, read_series
from memanalysis.reports.fleet_tables import MIN_FLEET_SERVICES
from memanalysis.reports.growth_split import GrowthSplit, split_growth
from memanalysis.reports.headline import order_verdicts, render_headline
from memanalysis.reports.held_line import use_held_bytes
from memanalysis.reports.hidden_source import hide_folders, hide_in_tables, hide_message
from memanalysis.reports.later_runs import LaterRuns, find_later_runs
from memanalysis.reports.open_cell import find_open_cell
from memanalysis.reports.post_mortem import make_post_mortem
from memanalysis.reports.reading import RunReader
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.site_history import choose_sites, read_site_lines
from memanalysis.reports.written_page import return_or_write
from memanalysis.schema import BYTE_METRICS, COUNT_METRICS
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.engines import EngineSource, resolve_engine
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.part_verdicts import pick_runs
from memanalysis.verdicts.pivot import LABEL_COLUMNS, pivot_verdicts
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.run_ends import RUN_COLUMNS, RunEnd, read_run_ends, read_runs
from memanalysis.verdicts.run_selection import find_deaths
from memanalysis.verdicts.run_spans import find_range
from memanalysis.verdicts.sources import LedgerSource, PolicySource, find_budgets, resolve_ledger, resolve_policy
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["Report", "report"]

MAX_SECTIONS = 24
"""Services with a section of their own, the worst first; the table has them all."""

MAX_EVENTS = 20
MAX_BREACHES = 20

MAX_MARKS = 8
"""More marks than this would hide the series that they are drawn over."""

LONGEST_MARK = 24


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report(ReportModel):
    """What a ledger shows, ready to be rendered; a notebook displays it."""

    def __repr__(self) -> str:
        return f"<Report on {self.ledger}: {self.headline}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        from memanalysis.reports.text_report import render_text

        printer.text(repr(self) if cycle else render_text(self))

    @overload
    def to_html(self, path: None = None) -> str: ...
    @overload
    def to_html(self, path: str | PathLike[str]) -> Path: ...
    def to_html(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return one self-contained page without scripts; with a path write it there and return the path."""
        from memanalysis.reports.html_report import render_page

        return return_or_write(partial(render_page, self), path, "Report.to_html")

    @overload
    def to_markdown(self, path: None = None) -> str: ...
    @overload
    def to_markdown(self, path: str | PathLike[str]) -> Path: ...
    def to_markdown(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return sentences and tables as Markdown; with a path write them there and return the path."""
        from memanalysis.reports.markdown_report import render_markdown

        return return_or_write(partial(render_markdown, self), path, "Report.to_markdown")

    @overload
    def to_json(self, path: None = None) -> str: ...
    @overload
    def to_json(self, path: str | PathLike[str]) -> Path: ...
    def to_json(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return everything as JSON, for programs; with a path write it there and return the path."""
        from memanalysis.reports.json_report import render_json

        return return_or_write(partial(render_json, self), path, "Report.to_json")

    def _repr_html_(self) -> str:
        from memanalysis.reports.html_report import render_fragment

        return render_fragment(self)


def report(
    ledger: LedgerSource,
    *,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    today: date | None = None,
    run_id: str | None = None,
    source: bool = True,
    engine: EngineSource = "pandas",
) -> Report:
    """Report on a ledger: its verdicts, with charts, guilty lines, breaches and events.

    Where the latest run of a service did not end in order, or the run before it was started again, the report begins
    with its post-mortem: a sentence for a ticket, what is known of the end, and what to do next.

    Parameters
    ----------
    ledger : Ledger, path or URL
        Where the samples are.
    policy : path, mapping or Policy, optional
        Budgets and thresholds, as for `assess`.
    known_leaks : path or entries, optional
        Accepted leaks, as for `assess`.
    today : date, optional
        The day by which they expire; today in UTC when not given.
    run_id : str, optional
        Report on this run alone, and not on every run of the ledger. If it died, the report begins with its
        post-mortem, also if that was long ago.
    source : bool
        False hides code, arguments, the folders of files and the text of an exception, as for a ticket that others
        read.
    engine : {"pandas", "dask"}
        Where the ledger is judged, as for `assess`.

    Returns
    -------
    Report
        It shows itself in a notebook; ``to_html``, ``to_markdown`` and ``to_json`` give it as text or write it.

    Raises
    ------
    InvalidArgumentError
        The ledger is neither a `Ledger` nor a path.
    LedgerError
        The ledger cannot be read.
    PolicyError
        The policy or the file of known leaks is broken.

    See Also
    --------
    memanalysis.assess : The verdicts alone, as a DataFrame.
    memanalysis.explore : The same ledger with pickers in a notebook.

    Examples
    --------
    >>> import memanalysis
    >>> made = memanalysis.report("sample_ledgers/leaking_service")
    >>> made.headline
    '1 of 1 service leaks: leaky_service grows by 2.8 GiB/h, at leaky_service.py:58.'
    >>> print(made.to_markdown().splitlines()[0])
    # Memory of leaky_service

    With a path each writes a file and returns where it is: ``made.to_html("report.html")``.
    """
    opened = resolve_ledger(ledger, call="report")
    rules = resolve_policy(policy, call="report")
    known = resolve_known_leaks(known_leaks, call="report")
    works_on = resolve_engine(engine, call="report")
    runs = read_runs(opened, and_columns=[name for name in LABEL_COLUMNS if name not in RUN_COLUMNS])
    ends = read_run_ends(opened, runs)
    judged_ledger = judge_ledger(opened, rules, runs=runs, ends=ends, engine=works_on, wants_spans=True)
    spans = judged_ledger.spans
    verdicts = order_verdicts(apply_known_leaks(judged_ledger.verdicts, known, today=today))
    if run_id is not None:
        verdicts = verdicts[verdicts["run_id"].eq(run_id).fillna(value=False).astype(bool)].reset_index(drop=True)
    if not source:
        verdicts = hide_folders(verdicts)
    judged = verdicts[~is_unreadable(verdicts)]
    spans = spans if run_id is None else pick_runs(spans, judged)
    deaths = find_deaths(pick_runs(spans, judged), judged, ends)
    later_runs = {service: find_later_runs(death, spans, ends) for service, death in deaths.items()}
    services = list(dict.fromkeys([*deaths, *judged["service"]]))
    budgets = find_budgets(rules, services, find_limits=lambda: read_limits(opened, services))
    shown = {service: _order_runs(service, judged, deaths.get(service)) for service in services[:MAX_SECTIONS]}
    read = RunReader(opened, run_ids=[own["run_id"].iloc[0] for own in shown.values()])
    failures = []
    sections = []
    for service, own in shown.items():
        try:
            sections.append(
                _make_section(
                    service,
                    own,
                    read,
                    budgets.get(service),
                    ends=ends,
                    death=deaths.get(service),
                    later_runs=later_runs.get(service),
                    source=source,
                )
            )
        except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
            reason = f"its part of the report cannot be made: {type(exc).__name__}: {exc}"
            failures.append(SkippedRows(f"service {service}", None, reason))
    fleet = None
    if run_id is None and len(services) >= MIN_FLEET_SERVICES:
        try:
            hosts = pd.DataFrame([end.run for end in ends.values()], columns=["service", "run_id", "host"])
            fleet = summarize_fleet(judged, hosts, pivot_verdicts(runs, judged, path=opened.path))
        except Exception as exc:  # the boundary of the fleet: whatever its labels hold, its services are shown
            failures.append(SkippedRows("the fleet", None, f"its part cannot be made: {type(exc).__name__}: {exc}"))
    started, ended = find_range(spans)
    left_out = dict.fromkeys([*judged_ledger.damage, *opened.damage_found, *opened.odd_entries])
    return Report(
        title=f"{'Post-mortem' if deaths and len(services) == 1 else 'Memory'} of {_name_services(services)}",
        ledger=str(opened.path) if source else PurePath(opened.path).name,
        headline=_write_headline(sections, verdicts),
        started=started,
        ended=ended,
        verdicts=verdicts,
        sections=sections,
        n_services=len(services),
        damage=[*sorted(left_out, key=lambda record: record.file), *failures],
        has_policy=rules is not None,
        fleet=fleet,
    )


def _order_runs(service: str, verdicts: pd.DataFrame, death: RunEnd | None) -> pd.DataFrame:
    """Return the verdicts on a service, that on the run that died last first, else that on its worst."""
    own = verdicts[verdicts["service"].isna() if pd.isna(service) else verdicts["service"] == service]
    is_process = ~own["role"].eq("family").fillna(value=False).astype(bool)  # a family has no samples of its own
    if death is not None:
        is_process &= own["run_id"].eq(death.run["run_id"]).fillna(value=False).astype(bool)
    return pd.concat([own[is_process].head(1), own.drop(index=own[is_process].index[:1])])


def _make_section(
    service: str,
    own: pd.DataFrame,
    read: RunReader,
    budget: Budget | None,
    *,
    ends: Mapping[tuple[str, str], RunEnd],
    death: RunEnd | None,
    later_runs: LaterRuns | None,
    source: bool,
) -> ServiceSection:
    """Make the part of a service, on the run whose verdict comes first."""
    verdict = {str(name): value for name, value in own.iloc[0].items()}
    run_id = verdict["run_id"]
    trace = ends[service, run_id].run["trace"] if (service, run_id) in ends else None
    tables = {table: read.run(table, service, run_id) for table in ("samples", "sites", "events")}
    tables["objects"] = read.run("objects", service, run_id) if death is not None else pd.DataFrame()
    if not source:
        tables = hide_in_tables(tables)
        death = None if death is None else hide_message(death)
    samples, sites, events = (tables[table] for table in ("samples", "sites", "events"))
    budgets = {} if budget is None else {service: budget}
    breaches = find_breaches(samples, budgets)
    metric = str(verdict["metric"])
    whole = read_series(samples, BYTE_METRICS[0] if metric in COUNT_METRICS else metric)
    sites = use_user_lines(sites)
    ranked = rank_sites(sites)
    if verdict["is_leak"] or trace is not None:
        ranked = count_from_start(ranked, sites)
    shown_sites = choose_sites(ranked, sites, is_leak=bool(verdict["is_leak"]))
    shown_sites = use_held_bytes(shown_sites, sites, samples, events, trace=trace)
    return ServiceSection(
        service=service,
        run_id=run_id,
        verdict=verdict,
        other_verdicts=own.iloc[1:],
        series=whole.thinned(),
        line=fit_line(whole, verdict),
        sites=shown_sites,
        site_lines=read_site_lines(sites.iloc[:0] if trace == "windows" else sites, samples, shown_sites),
        n_sites=len(ranked),
        growth_split=_split_growth(samples, shown_sites),
        breaches=breaches.head(MAX_BREACHES),
        n_breaches=len(breaches),
        forecast=forecast_breaches(samples, {} if verdict["has_ended"] else budgets),
        events=events.sort_values("timestamp").tail(MAX_EVENTS),
        n_events=len(events),
        marks=_read_marks(events, samples),
        budget=budget,
        is_traced=bool(samples["traced_bytes"].notna().any()),
        trace=trace,
        open_cell=find_open_cell(events, has_source=source),
        post_mortem=None
        if death is None
        else make_post_mortem(
            death, verdict=verdict, tables=tables, breaches=breaches, later_runs=later_runs, has_source=source
        ),
    )


def _split_growth(samples: pd.DataFrame, shown_sites: pd.DataFrame) -> GrowthSplit | None:
    """Split the growth in the time of the table of lines; None without lines."""
    if shown_sites.empty:
        return None
    since, until = shown_sites[["judged_from", "judged_to"]].iloc[0]
    return split_growth(samples, since=since, until=until)


def _write_headline(sections: Sequence[ServiceSection], verdicts: pd.DataFrame) -> str:
    """Return the sentence on the first run that died, how many others did, and the headline on the memory of all."""
    deaths = [section.post_mortem for section in sections if section.post_mortem is not None]
    more, parts = len(deaths) - 1, [death.sentence for death in deaths[:1]]
    if deaths and deaths[0].later_runs is not None:
        parts.append(deaths[0].later_runs)
    if more > 0:
        parts.append(f"{more} more {'service' if more == 1 else 'services'} died, see below.")
    is_open = bool(verdicts["shape"].eq("inconclusive").all())
    is_only_one = verdicts["service"].nunique() == 1
    if not (deaths and (is_open or is_only_one)):  # its own sentence has what is known of its memory
        parts.append(render_headline(verdicts))
    return " ".join(parts)


def _read_marks(events: pd.DataFrame, samples: pd.DataFrame) -> list[tuple[float, str]]:
    """The last few marks of a run, on the clock of its chart."""
    marks = events[(events["kind"] == "mark") & events["timestamp"].notna()].sort_values("timestamp").tail(MAX_MARKS)
    start = samples["timestamp"].min()
    return [
        ((mark["timestamp"] - start).total_seconds(), make_printable(mark["message"])[:LONGEST_MARK])
        for mark in marks.to_dict("records")
        if pd.notna(start)
    ]


def _name_services(services: Sequence[str]) -> str:
    if len(services) == 1:
        return make_printable(services[0])
    return f"{len(services)} services" if services else "no service"
