"""The tables of a report, as records that HTML and Markdown render."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from memanalysis._tables import Cell, CellText, Column, Table
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.verdict_cells import NOTHING, SEVERITY_MARKS, VerdictCells, render_all_cells, render_place
from memanalysis.units import format_bytes, format_duration

__all__ = [
    "MAX_ROWS",
    "MAX_ROWS_IN_TEXT",
    "breach_table",
    "damage_table",
    "describe_more_runs",
    "event_table",
    "find_held_places",
    "site_table",
    "verdict_table",
]

MAX_ROWS = 200
"""Verdicts in the table of a page, the worst: a row takes 630 bytes, and a page is to stay below 2 MB."""

MAX_ROWS_IN_TEXT = 50
"""The same in Markdown and plain text, which are read in an issue or a terminal."""

MAX_DAMAGE = 50
"""Records of what was left out that a report lists."""

_VERDICT_COLUMNS = (
    Column("service"),
    Column("shape"),
    Column("leak"),
    Column("severity"),
    Column("growth an hour", "number"),
    Column("time to budget", "number"),
    Column("guilty line"),
)


def find_held_places(report: ReportModel) -> dict[str, str]:
    """Return, by run, the line that held most at the end of each run that died, as its post-mortem names it."""
    dead = [section.post_mortem for section in report.sections if section.post_mortem is not None]
    return {each.run_id: render_place(each.line.file, each.line.line, short=True) for each in dead if each.line}


def verdict_table(
    verdicts: pd.DataFrame, *, max_rows: int | None = None, held_places: Mapping[str, str] | None = None
) -> Table:
    """Return a row a verdict, in the order of the frame; the first ``max_rows`` alone, where that is given.

    Of a service with several runs each is named, and of one that goes on those that have ended are marked. Where a
    verdict names no line, as of a run too short to be judged, ``held_places`` has the one that held most as it died.
    """
    services, have_ended = [str(service) for service in verdicts["service"]], verdicts["has_ended"].astype(bool)
    runs, ended = (
        Counter(services),
        Counter(service for service, is_over in zip(services, have_ended, strict=True) if is_over),
    )
    shown = verdicts if max_rows is None else verdicts.head(max_rows)
    rows, held = [], held_places or {}
    cells = zip(render_all_cells(shown), services, shown["run_id"], have_ended, strict=False)
    for cell, service, run_id, is_over in cells:
        mark = ", ended" if is_over and ended[service] < runs[service] else ""
        run = f"run {cell.run}{mark}" if runs[service] > 1 else ""
        rows.append(_verdict_row(cell, run=run, held_place=held.get(str(run_id))))
    return Table(_VERDICT_COLUMNS, rows, label="Verdicts")


def describe_more_runs(verdicts: pd.DataFrame, table: Table) -> str:
    """Return how many runs a table of verdicts leaves out, and what lists them; empty where it has all."""
    more = len(verdicts) - len(table.rows)
    if more <= 0:
        return ""
    what, them = ("run is", "it") if more == 1 else ("runs are", "them")
    return f"{more:,} more {what} not shown; memanalysis assess --all --format csv lists {them}."


def site_table(section: ServiceSection, *, short: bool) -> Table:
    """Return a row a line of code; ``short`` leaves the directories of its file to the hint."""
    is_leak = bool(section.verdict["is_leak"])
    shares = [Column("share of all growth", "number")] if is_leak else []
    sizes = [Column(title, "number") for title in ("growth", "held at most", "held at the end")]
    rows: list[list[CellText]] = [
        [
            Cell(
                render_place(site["file"], site["line"], short=short),
                note="" if pd.isna(site["function"]) else f"in {site['function']}",
                kind="code",
                hint=render_place(site["file"], site["line"], short=False),
            ),
            *([Cell(f"{site['share']:.0%}", kind="bar", share=float(site["share"]))] if is_leak else []),
            format_bytes(site["growth_bytes"], sign=True),
            format_bytes(site["peak_bytes"]),
            format_bytes(site["last_bytes"]),
        ]
        for site in section.sites.to_dict("records")
    ]
    return Table([Column("line"), *shares, *sizes], rows, label="Lines")


def breach_table(section: ServiceSection) -> Table:
    """Return a row a breach of the budget."""
    rows = [
        [
            str(breach["level"]),
            f"{breach['first']:%Y-%m-%d %H:%M:%S}",
            format_duration(breach["duration_s"]),
            format_bytes(breach["worst_bytes"]),
            f"{format_bytes(abs(breach['headroom_bytes']))} {'left' if breach['headroom_bytes'] >= 0 else 'over'}",
        ]
        for breach in section.breaches.to_dict("records")
    ]
    numbers = [Column(title, "number") for title in ("for", "worst", "budget")]
    return Table([Column("level"), Column("from (UTC)"), *numbers], rows, label="Breaches")


def event_table(section: ServiceSection) -> Table:
    """Return a row an event of the run, the last ones."""
    rows = [
        [
            f"{event['timestamp']:%H:%M:%S}" if pd.notna(event["timestamp"]) else "not available",
            *("" if pd.isna(event[name]) else str(event[name]) for name in ("kind", "level", "message")),
        ]
        for event in section.events.to_dict("records")
    ]
    titles = ("time (UTC)", "event", "level", "message")
    return Table([Column(title) for title in titles], rows, label="Events")


def damage_table(report: ReportModel) -> Table:
    """Return a row for each part of the ledger that could not be read, the first ones."""
    rows: list[list[CellText]] = [
        [Cell(str(record.file), kind="code"), record.describe()] for record in report.damage[:MAX_DAMAGE]
    ]
    return Table([Column("file"), Column("what was left out, and why")], rows, label="Left out")


def _verdict_row(cell: VerdictCells, *, run: str, held_place: str | None) -> list[CellText]:
    has_line = ":" in cell.responsible
    if cell.responsible == NOTHING and held_place is not None:
        place: CellText = Cell(held_place, note="held most", kind="code")
    else:
        place = Cell(cell.responsible, kind="code", hint=cell.responsible_path) if has_line else cell.responsible
    return [
        Cell(cell.service, note=run, kind="name"),
        cell.shape,
        cell.leak,
        Cell(cell.severity, kind="badge", mark=SEVERITY_MARKS[cell.severity]),
        Cell(cell.growth, note=cell.growth_interval),
        Cell(cell.time, note=cell.time_interval),
        place,
    ]
