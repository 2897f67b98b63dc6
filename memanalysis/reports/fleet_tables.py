"""The part of a report on the fleet as a whole: its tables, as records that every format renders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memanalysis._tables import Cell, CellText, Column, Table
from memanalysis.analysis.fleet_overview import FleetOverview
from memanalysis.reports.verdict_cells import known_number, render_place, render_time_interval, short_run_id
from memanalysis.units import format_bytes, format_duration, format_growth

__all__ = ["MIN_FLEET_SERVICES", "FleetTable", "make_fleet_tables"]

MIN_FLEET_SERVICES = 5
"""Fewer services are seen at a glance in the table of verdicts."""

MAX_ROWS = 10
"""Rows of a table; JSON has them all."""

MAX_NAMES = 3
"""Services that a cell names; the others are counted."""


@dataclass(frozen=True, slots=True)
class FleetTable:
    """A table with its heading, and how many rows there are in all."""

    title: str
    table: Table
    n_rows: int


def make_fleet_tables(fleet: FleetOverview) -> list[FleetTable]:
    """Return the tables that have rows."""
    made = [
        _make("Budgets that break first", fleet.budgets, _BUDGET_COLUMNS, _budget_row),
        _make("Most growth", fleet.growth, _GROWTH_COLUMNS, _growth_row),
        _make("New leaks by line", fleet.leaks, _LEAK_COLUMNS, _leak_row),
        _make("Runs that differ from their peers", fleet.peers, _PEER_COLUMNS, _peer_row),
    ]
    return [one for one in made if one.n_rows]


def _make(title: str, frame: Any, columns: Sequence[Column], make_row: Any) -> FleetTable:
    rows = [make_row(row) for row in frame.head(MAX_ROWS).to_dict("records")]
    return FleetTable(title, Table(columns, rows, label=title), len(frame))


_BUDGET_COLUMNS = (
    Column("service"),
    Column("host"),
    Column("limit", "number"),
    Column("reached in", "number"),
)
_GROWTH_COLUMNS = (Column("service"), Column("leaking runs", "number"), Column("growth of all", "number"))
_LEAK_COLUMNS = (
    Column("line"),
    Column("services"),
    Column("runs", "number"),
    Column("hosts", "number"),
    Column("growth of all", "number"),
    Column("fingerprint"),
)
_PEER_COLUMNS = (
    Column("service"),
    Column("host"),
    Column("memory", "number"),
    Column("usual here", "number"),
    Column("runs", "number"),
)


def _budget_row(row: Mapping[str, Any]) -> list[CellText]:
    time_s, low_s, high_s = (known_number(row[f"time_to_exhaustion{end}_s"]) for end in ("", "_low", "_high"))
    reached = "reached" if time_s == 0 else format_duration(time_s)
    return [
        _name(row),
        _host(row),
        format_bytes(known_number(row["limit_bytes"])),
        Cell(reached, note=render_time_interval(time_s, low_s, high_s)),
    ]


def _growth_row(row: Mapping[str, Any]) -> list[CellText]:
    return [
        Cell(str(row["service"]), kind="name"),
        f"{row['leaking_runs']:,} of {row['runs']:,}",
        format_growth(row["slope_bytes_per_s"]),
    ]


def _leak_row(row: Mapping[str, Any]) -> list[CellText]:
    file = row["file"]
    line: CellText = "not known"
    if isinstance(file, str):
        number = known_number(row["line"])
        function = row["function"]
        line = Cell(
            render_place(file, number, short=True),
            note=f"in {function}" if isinstance(function, str) else "",
            kind="code",
            hint=render_place(file, number, short=False),
        )
    return [
        line,
        _list_names(row["services"]),
        f"{row['runs']:,}",
        f"{row['hosts']:,}" if row["hosts"] else "not known",
        format_growth(row["slope_bytes_per_s"]),
        Cell(_list_names(row["fingerprints"], most=1), kind="code"),
    ]


def _peer_row(row: Mapping[str, Any]) -> list[CellText]:
    return [
        _name(row),
        _host(row),
        format_bytes(row["latest_bytes"]),
        format_bytes(row["median_bytes"]),
        f"{row['peers'] + 1:,}",
    ]


def _name(row: Mapping[str, Any]) -> Cell:
    return Cell(str(row["service"]), note=f"run {short_run_id(row['run_id'])}", kind="name")


def _host(row: Mapping[str, Any]) -> str:
    return str(row["host"]) if isinstance(row["host"], str) else "not known"


def _list_names(names: Sequence[str], *, most: int = MAX_NAMES) -> str:
    more = len(names) - most
    shown = ", ".join(names[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown
