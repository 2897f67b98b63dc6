"""Show the cost of a cell: as tables with a picture in a notebook, as text elsewhere.

Everything that comes from a cell or a file name is escaped: it is text, whatever it contains. Colours are those of
the page, so that light and dark themes both suit.
"""

import base64
from collections.abc import Sequence
from typing import Any

from memanalysis._tables import Column, Table, render_text_table
from memanalysis.notebook.lines import DEEP_LIBRARIES
from memanalysis.notebook.measure import CellCost, CellLine, HighWater
from memanalysis.notebook.names import CellNames
from memanalysis.notebook.plot import is_ready_for_html, is_ready_to_draw, render_curve_png
from memanalysis.units import KIB, NOT_AVAILABLE, format_bytes, format_duration

__all__ = ["TOP_LINES", "CellReport", "render_html", "render_text"]

TOP_LINES = 8
"""Lines shown unless asked otherwise."""

SMALL_LINE_BYTES = 4 * KIB
"""A line that never held more is not shown: names and small objects of every cell."""

SOURCE_WIDTH = 90
"""Characters of a source line that are shown."""


class CellReport:
    """What ``%%memwatch`` shows: as HTML in a notebook, as text in a terminal; ``cost`` has the numbers."""

    def __init__(self, cost: CellCost, names: CellNames, *, top: int = TOP_LINES, hints: Sequence[str] = ()) -> None:
        self.cost = cost
        self.hints = tuple(hints)
        shown = [line for line in cost.lines if max(line.highest_bytes, abs(line.retained_bytes)) >= SMALL_LINE_BYTES]
        self.lines = tuple(shown[:top])
        self.lines_left_out = len(shown) - len(self.lines)
        self.sources = tuple(_clip(names.read_source(line.place.file, line.place.line)) for line in self.lines)

    def __repr__(self) -> str:
        return render_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("CellReport(...)" if cycle else render_text(self))

    def _repr_html_(self) -> str | None:
        return render_html(self) if is_ready_for_html() else None  # the text is shown then


def render_text(report: CellReport) -> str:
    """Render as plain text, at most about 120 columns wide."""
    cost = report.cost
    parts = [_headline(cost), render_text_table(_memory_table(cost))]
    if report.lines:
        parts.append(render_text_table(_line_table(report)))
    parts.extend(_footnotes(report))
    return "\n".join(parts)


def render_html(report: CellReport) -> str:
    """Render as HTML without scripts or style sheets, so that it shows in notebooks that are not trusted too."""
    from memanalysis._html import render_template

    cost = report.cost
    shown = render_template(
        "cell_report.html.j2",
        headline=_headline(cost),
        label=cost.label,
        memory=_memory_table(cost),
        picture=base64.b64encode(render_curve_png(cost.curve)).decode("ascii") if is_ready_to_draw() else "",
        lines=_line_table(report),
        notes=_footnotes(report),
    )
    return str(shown)


def _headline(cost: CellCost) -> str:
    ended = "took" if cost.succeeded else "failed after"
    text = f"{cost.label} {ended} {_seconds(cost.seconds)}"
    peak = cost.rss.peak
    if peak is not None and cost.rss.before is not None:
        text += f"; resident memory rose by up to {format_bytes(max(peak - cost.rss.before, 0))}"
    if cost.retained_bytes is not None:
        retained = cost.retained_bytes
        text += f"; retained {format_bytes(retained)}" if retained >= 0 else f"; released {format_bytes(-retained)}"
    return text + "."


def _memory_table(cost: CellCost) -> Table:
    numbers = [Column(title, "number") for title in ("before", "peak", "after gc", "change")]
    rows = [_memory_row("resident memory (RSS)", cost.rss)]
    if cost.python is not None:
        rows.append(_memory_row("Python allocations", cost.python))
    return Table([Column(""), *numbers], rows, label="Memory")


def _memory_row(name: str, memory: HighWater) -> list[str]:
    at_least = "" if memory.is_exact or memory.peak is None else "\u2265 "
    return [
        name,
        format_bytes(memory.before),
        at_least + format_bytes(memory.peak),
        format_bytes(memory.after),
        _change(memory.change),
    ]


def _change(size_bytes: int | None) -> str:
    return NOT_AVAILABLE if size_bytes is None else format_bytes(size_bytes, sign=True)


def _line_table(report: CellReport) -> Table:
    rows = [
        [_place(line), format_bytes(line.highest_bytes), format_bytes(line.retained_bytes), _source(line, source)]
        for line, source in zip(report.lines, report.sources, strict=True)
    ]
    numbers = [Column(title, "number") for title in ("highest seen", "retained")]
    return Table([Column("line", "code"), *numbers, Column("source", "source")], rows, label="Lines")


def _place(line: CellLine) -> str:
    place = line.place
    return f"({place.file})" if place.file == DEEP_LIBRARIES else f"{place.file}:{place.line}"


def _source(line: CellLine, source: str) -> str:
    if line.place.file == DEEP_LIBRARIES:
        return f"imports and calls too deep to attribute, most in {line.place.via}"
    via = f"in {line.place.via}" if line.place.via else ""
    return "  # ".join(part for part in (source, via) if part)


def _footnotes(report: CellReport) -> list[str]:
    cost = report.cost
    notes = list(cost.notes)
    if not report.lines and cost.retained_bytes is not None:
        notes.append(f"No line held more than {format_bytes(SMALL_LINE_BYTES)} in any snapshot.")
    if report.lines_left_out:
        more = "line" if report.lines_left_out == 1 else "lines"
        notes.append(
            f"{report.lines_left_out} more {more}: %%memwatch --top {len(report.lines) + report.lines_left_out}"
        )
    notes.extend(report.hints)
    return notes


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def _clip(source: str) -> str:
    return source if len(source) <= SOURCE_WIDTH else source[: SOURCE_WIDTH - 1] + "\u2026"
