"""How is the cost of a cell, or of all cells, shown? As tables with a picture in a notebook, as text elsewhere.

Everything that comes from a cell or a file name is escaped: it is text, whatever it looks like. Colours are those of
the page, so that light and dark themes both suit.
"""

import base64
import html
from collections.abc import Sequence
from typing import Any

from memanalysis.notebook.child_report import ShownReport
from memanalysis.notebook.lines import DEEP_LIBRARIES
from memanalysis.notebook.measure import CellCost, CellLine, HighWater
from memanalysis.notebook.names import CellNames
from memanalysis.notebook.passive import CellEvent
from memanalysis.notebook.plot import is_ready_to_draw, render_curve_png
from memanalysis.units import KIB, NOT_AVAILABLE, format_bytes, format_duration

__all__ = ["TOP_LINES", "CellReport", "SessionReport", "render_html", "render_text"]

TOP_LINES = 8
"""Lines shown unless asked otherwise."""

SMALL_LINE_BYTES = 4 * KIB
"""A line that never held more is not shown: names and small objects of every cell."""

MOST_CELLS = 50
"""Cells in the table of a session."""

SOURCE_WIDTH = 90
"""Characters of a source line that are shown."""

_HEADLINE = "font-size:13px;font-weight:bold;margin:4px 0"
_NOTE = "font-size:13px;margin:4px 0;max-width:60em"
_TABLE = "border-collapse:collapse;margin:4px 0;font-size:13px"
_CELL = "padding:2px 12px 2px 0;text-align:right;white-space:nowrap"
_LEFT = "padding:2px 12px 2px 0;text-align:left;white-space:pre;font-family:monospace"
_SOURCE = "padding:2px 12px 2px 0;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace"


class CellReport:
    """What ``%%memwatch`` shows: as HTML in a notebook, as text in a terminal; ``cost`` has the numbers."""

    def __init__(self, cost: CellCost, names: CellNames, *, top: int = TOP_LINES, hints: Sequence[str] = ()) -> None:
        self.cost = cost
        self.hints = tuple(hints)
        shown = [line for line in cost.lines if max(line.highest_bytes, abs(line.kept_bytes)) >= SMALL_LINE_BYTES]
        self.lines = tuple(shown[:top])
        self.lines_left_out = len(shown) - len(self.lines)
        self.sources = tuple(_clip(names.read_source(line.place.file, line.place.line)) for line in self.lines)

    def __repr__(self) -> str:
        return render_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("CellReport(...)" if cycle else render_text(self))

    def _repr_html_(self) -> str:
        return render_html(self)


class SessionReport:
    """What ``%memwatch report`` shows: the cells, and below them the report on the ledger."""

    def __init__(self, events: Sequence[CellEvent], shown: ShownReport) -> None:
        self.events = tuple(events)
        self._shown = shown

    def __repr__(self) -> str:
        return "\n".join([self._headline(), _text_table(self._rows()), self._shown.text])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("SessionReport(...)" if cycle else repr(self))

    def _repr_html_(self) -> str:
        headline = f'<div style="{_HEADLINE}">{html.escape(self._headline())}</div>'
        return f'<div class="memwatch-session">{headline}{_html_table(self._rows())}</div>{self._shown.html}'

    def _headline(self) -> str:
        count = len(self.events)
        which = f", the last {MOST_CELLS} are shown" if count > MOST_CELLS else ""
        return f"{count} watched {'cell' if count == 1 else 'cells'}{which}."

    def _rows(self) -> list[list[str]]:
        rows = [["cell", "run", "time", "resident change", "peak", "Python change", ""]]
        is_traced = any(event.traced_kept_bytes is not None for event in self.events)
        for event in self.events[-MOST_CELLS:]:
            at_least = "" if event.rss_peak_is_exact or event.rss_peak_bytes is None else "\u2265 "
            rows.append(
                [
                    event.cell,
                    str(event.run_number),
                    _seconds(event.seconds),
                    _change(event.rss_delta_bytes),
                    at_least + format_bytes(event.rss_peak_bytes),
                    _change(event.traced_kept_bytes),
                    "" if event.success else event.error or "failed",
                ]
            )
        return rows if is_traced else [[*row[:5], *row[6:]] for row in rows]


def render_text(report: CellReport) -> str:
    """Render as plain text, at most about 120 columns wide."""
    cost = report.cost
    parts = [_headline(cost), _text_table(_memory_rows(cost))]
    if report.lines:
        parts.append(_text_table(_line_rows(report), left_from=3))
    parts.extend(_footnotes(report))
    return "\n".join(parts)


def render_html(report: CellReport) -> str:
    """Render as HTML without scripts or style sheets, so that it shows in notebooks that are not trusted too."""
    cost = report.cost
    parts = [
        f'<div style="{_HEADLINE}">{html.escape(_headline(cost))}</div>',
        _html_table(_memory_rows(cost)),
        _html_picture(cost),
    ]
    if report.lines:
        parts.append(_html_table(_line_rows(report), left_from=3))
    parts.extend(f'<div style="{_NOTE}">{html.escape(note)}</div>' for note in _footnotes(report))
    return f'<div class="memwatch-cell">{"".join(parts)}</div>'


def _html_picture(cost: CellCost) -> str:
    if not is_ready_to_draw():
        text = "No picture: loading matplotlib while tracing runs would take long. Import it before tracing starts."
        return f'<div style="{_NOTE}">{text}</div>'
    picture = base64.b64encode(render_curve_png(cost.curve)).decode("ascii")
    alt = html.escape(f"Memory while {cost.label} ran")
    return f'<img alt="{alt}" width="595" style="max-width:100%" src="data:image/png;base64,{picture}">'


def _headline(cost: CellCost) -> str:
    ended = "took" if cost.succeeded else "failed after"
    text = f"{cost.label} {ended} {_seconds(cost.seconds)}"
    peak = cost.rss.peak
    if peak is not None and cost.rss.before is not None:
        text += f"; resident memory rose by up to {format_bytes(max(peak - cost.rss.before, 0))}"
    if cost.kept_bytes is not None:
        kept = cost.kept_bytes
        text += f"; kept {format_bytes(kept)}" if kept >= 0 else f"; let go of {format_bytes(-kept)}"
    return text + "."


def _memory_rows(cost: CellCost) -> list[list[str]]:
    rows = [["", "before", "peak", "after gc", "change"], _memory_row("resident memory (RSS)", cost.rss)]
    if cost.python is not None:
        rows.append(_memory_row("Python allocations", cost.python))
    return rows


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


def _line_rows(report: CellReport) -> list[list[str]]:
    rows = [["line", "highest seen", "kept", "source"]]
    for line, source in zip(report.lines, report.sources, strict=True):
        sizes = (format_bytes(line.highest_bytes), format_bytes(line.kept_bytes))
        rows.append([_place(line), *sizes, _source(line, source)])
    return rows


def _place(line: CellLine) -> str:
    place = line.place
    return f"({place.file})" if place.file == DEEP_LIBRARIES else f"{place.file}:{place.line}"


def _source(line: CellLine, source: str) -> str:
    if line.place.file == DEEP_LIBRARIES:
        return f"imports and calls too deep to tell whose, most in {line.place.via}"
    via = f"in {line.place.via}" if line.place.via else ""
    return "  # ".join(part for part in (source, via) if part)


def _footnotes(report: CellReport) -> list[str]:
    cost = report.cost
    notes = list(cost.notes)
    if not report.lines and cost.kept_bytes is not None:
        notes.append(f"No line held more than {format_bytes(SMALL_LINE_BYTES)} when it was looked at.")
    if report.lines_left_out:
        more = "line" if report.lines_left_out == 1 else "lines"
        notes.append(
            f"{report.lines_left_out} more {more}: %%memwatch --top {len(report.lines) + report.lines_left_out}"
        )
    notes.extend(report.hints)
    return notes


def _text_table(rows: list[list[str]], *, left_from: int = 99) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if column == 0 or column >= left_from else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _html_table(rows: list[list[str]], *, left_from: int = 99) -> str:
    head, *body = rows
    styles = [_LEFT if column == 0 else _SOURCE if column >= left_from else _CELL for column in range(len(head))]
    header = _html_row("th", head, [_head_style(style) for style in styles])
    lines = "".join(_html_row("td", row, styles) for row in body)
    return f'<table style="{_TABLE}"><thead>{header}</thead><tbody>{lines}</tbody></table>'


def _html_row(tag: str, texts: Sequence[str], styles: Sequence[str]) -> str:
    cells = (f'<{tag} style="{style}">{html.escape(text)}</{tag}>' for text, style in zip(texts, styles, strict=True))
    return f"<tr>{''.join(cells)}</tr>"


def _head_style(style: str) -> str:
    return style.replace(";font-family:monospace", "") + ";font-weight:bold"


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def _clip(source: str) -> str:
    return source if len(source) <= SOURCE_WIDTH else source[: SOURCE_WIDTH - 1] + "\u2026"
