"""The report on a notebook's session: its cells by what they kept, and below them what its ledger shows."""

from collections.abc import Sequence
from typing import Any

from memanalysis._tables import Column, Table
from memanalysis.notebook.cell_log import CellRecord, first_line
from memanalysis.notebook.child_report import ShownReport
from memanalysis.units import MIB, NOT_AVAILABLE, format_bytes, format_duration

__all__ = ["SessionReport", "describe_cells", "make_cell_table"]

MAX_CELLS = 50
"""Cells in the table of a session."""

SOURCE_WIDTH = 60
"""Characters of a cell's first line that are shown."""

NOTABLE_BYTES = MIB
"""The headline names the cell that kept the most from here on."""


class SessionReport:
    """What ``%memwatch report`` shows: the cells, and below them the report on the ledger."""

    def __init__(self, cells: Sequence[CellRecord], shown: ShownReport) -> None:
        self.cells = tuple(cells)
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown.text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("SessionReport(...)" if cycle else repr(self))

    def _repr_html_(self) -> str:
        return self._shown.html


def describe_cells(cells: Sequence[CellRecord]) -> str:
    """Return a line that counts the watched cells, and names the one that kept the most."""
    count = len(cells)
    which = f", the {MAX_CELLS} that kept the most are shown" if count > MAX_CELLS else ""
    text = f"{count} watched {'cell' if count == 1 else 'cells'}{which}."
    largest = max(cells, key=_retained_bytes, default=None)
    if largest is not None and count > 1 and _retained_bytes(largest) >= NOTABLE_BYTES:
        text += f" {largest.cell} kept the most: {format_bytes(_retained_bytes(largest))}."
    each = next((record for record in reversed(cells) if record.bytes_per_run is not None), None)
    if each is not None:
        text += f" {each.cell} keeps {format_bytes(each.bytes_per_run)} each run."
    return text


def make_cell_table(cells: Sequence[CellRecord]) -> Table:
    """Return a row for each cell that ran, those first that kept the most."""
    has_python = any(record.retained_bytes is not None for record in cells)
    has_line = any(record.peak_line for record in cells)
    titles = ["kept", *(["Python kept"] if has_python else []), "rose by", "time", "run"]
    columns = [
        Column("cell", "code"),
        Column("source", "source"),
        *(Column(title, "number") for title in titles),
        *([Column("line of the peak", "code")] if has_line else []),
        Column(""),
    ]
    rows = [
        [
            record.cell,
            _clip(first_line(record.source)),
            _change(record.net_bytes),
            *([_change(record.retained_bytes)] if has_python else []),
            format_bytes(record.rise_bytes),
            _seconds(record.seconds),
            str(record.run_number),
            *([record.peak_line or ""] if has_line else []),
            record.error or "",
        ]
        for record in sorted(cells, key=_retained_bytes, reverse=True)[:MAX_CELLS]
    ]
    return Table(columns, rows, label="Cells")


def _retained_bytes(record: CellRecord) -> int:
    """What orders the cells: the change of resident memory, or what Python allocated and holds where that is more."""
    return max(record.net_bytes or 0, min(record.retained_bytes or 0, record.rise_bytes or 0))


def _change(size_bytes: int | None) -> str:
    return NOT_AVAILABLE if size_bytes is None else format_bytes(size_bytes, sign=True)


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def _clip(source: str) -> str:
    return source if len(source) <= SOURCE_WIDTH else source[: SOURCE_WIDTH - 1] + "\u2026"
