"""Show the cost of a cell: as tables with a picture in a notebook, as text elsewhere.

Everything that comes from a cell or a file name is escaped: it is text, whatever it contains. Colours are those of
the page, so that light and dark themes both suit.
"""

from collections.abc import Sequence
from typing import Any

from memanalysis._tables import Column, Table, render_text_table
from memanalysis.notebook.cell_memory import CellLine
from memanalysis.notebook.lines import DEEP_LIBRARIES
from memanalysis.notebook.measure import CellCost
from memanalysis.notebook.names import CellNames
from memanalysis.notebook.plot import draw_curve, is_ready_for_html
from memanalysis.units import KIB, MIB, NOT_AVAILABLE, format_bytes, format_duration

__all__ = ["TOP_LINES", "CellReport", "render_html", "render_text"]

TOP_LINES = 8
"""Lines shown unless asked otherwise."""

SMALL_LINE_BYTES = 4 * KIB
"""A line that never held more is not shown: names and small objects of every cell."""

NOTABLE_PEAK_BYTES = 256 * KIB
"""The line that held most at the peak is named in the headline from here on."""

NOTABLE_COUNTER_BYTES = MIB
"""What a library counts itself is mentioned from this change on."""

ABOUT_ZERO = 0.05
"""A net change below this share of what was freed is zero: containers are measured by samples of their items."""

MAX_GONE = 3
"""Freed values that are named."""

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
    parts = [_headline(report), *_resident(report.cost)]
    if report.lines:
        parts.append(render_text_table(_line_table(report)))
    parts.extend(_footnotes(report))
    return "\n".join(parts)


def render_html(report: CellReport) -> str:
    """Render as HTML without scripts or style sheets, so that it shows in notebooks that are not trusted too."""
    from memanalysis._html import Markup, render_template

    picture = draw_curve(report.cost.curve, label=report.cost.label)
    shown = render_template(
        "cell_report.html.j2",
        headline=_headline(report),
        resident=_resident(report.cost),
        picture=Markup(picture),
        lines=_line_table(report),
        notes=_footnotes(report),
    )
    return str(shown)


def _headline(report: CellReport) -> str:
    cost = report.cost
    ended = "took" if cost.succeeded else "failed after"
    text = f"{cost.label} {ended} {_seconds(cost.seconds)}"
    if cost.peak_bytes is not None:
        rose = "memory rose by" if cost.memory.is_resident else "it allocated"
        text += f"; {rose} up to {format_bytes(cost.peak_bytes)}"
        if cost.lines and cost.lines[0].highest_bytes >= NOTABLE_PEAK_BYTES:
            text += f", most at {_place(cost.lines[0])}"
    if cost.retained_bytes is not None:
        retained = cost.retained_bytes
        text += f"; retained {format_bytes(retained)}" if retained >= 0 else f"; released {format_bytes(-retained)}"
        if cost.net.gone and not cost.memory.is_net:
            net = retained - cost.net.gone_bytes
            is_zero = abs(net) < ABOUT_ZERO * cost.net.gone_bytes
            text += f", net {format_bytes(0 if is_zero else net, sign=True)}"
    return text + "."


def _resident(cost: CellCost) -> list[str]:
    rss = cost.rss
    if rss.before is None:
        return [f"Resident memory (RSS): {NOT_AVAILABLE} on this system."]
    at_least = "" if rss.is_exact else "at least "
    return [
        f"Resident memory (RSS): {format_bytes(rss.before)} before, {at_least}{format_bytes(rss.peak)} at the peak, "
        f"{format_bytes(rss.after)} after garbage collection."
    ]


def _change(size_bytes: int | None) -> str:
    return NOT_AVAILABLE if size_bytes is None else format_bytes(size_bytes, sign=True)


def _line_table(report: CellReport) -> Table:
    rows = [
        [_place(line), format_bytes(line.highest_bytes), format_bytes(line.retained_bytes), _source(line, source)]
        for line, source in zip(report.lines, report.sources, strict=True)
    ]
    numbers = [Column(title, "number") for title in ("at the peak", "retained")]
    return Table([Column("line", "code"), *numbers, Column("source", "source")], rows, label="Lines")


def _place(line: CellLine) -> str:
    place = line.place
    return f"({place.file})" if place.file == DEEP_LIBRARIES else f"{place.file}:{place.line}"


def _source(line: CellLine, source: str) -> str:
    if line.place.file == DEEP_LIBRARIES:
        return f"in {line.place.via}, called by no line of a cell"
    native = f"{format_bytes(line.native_bytes)} native" if line.native_bytes else ""
    via = f"in {line.place.via}" if line.place.via else ""
    return "  # ".join(part for part in (source, ", ".join(part for part in (native, via) if part)) if part)


def _footnotes(report: CellReport) -> list[str]:
    cost = report.cost
    notes = [*_describe_gone(cost), *_describe_native(cost), *cost.notes]
    if not report.lines and cost.retained_bytes is not None:
        notes.append(f"No line held more than {format_bytes(SMALL_LINE_BYTES)}.")
    if report.lines_left_out:
        more = "line" if report.lines_left_out == 1 else "lines"
        notes.append(
            f"{report.lines_left_out} more {more}: %%memwatch --top {len(report.lines) + report.lines_left_out}"
        )
    notes.extend(report.hints)
    return notes


def _describe_gone(cost: CellCost) -> list[str]:
    sizes: dict[str, int] = {}
    for value in cost.net.gone:
        sizes[value.path] = sizes.get(value.path, 0) + value.size_bytes
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:MAX_GONE]
    named = " and ".join(f"the old `{path}` ({format_bytes(sizes[path])})" for path in largest)
    return [f"Freed from before the cell: {named}."] if named else []


def _describe_native(cost: CellCost) -> list[str]:
    memory = cost.memory
    notes = []
    if memory.native_peak_bytes:
        kept = (
            f", and {format_bytes(memory.native_retained_bytes)} of what is retained"
            if memory.native_retained_bytes
            else ""
        )
        notes.append(
            f"{format_bytes(memory.native_peak_bytes)} of the peak{kept} is native: "
            "neither Python nor NumPy allocated it."
        )
    elif memory.native_retained_bytes:
        notes.append(f"{format_bytes(memory.native_retained_bytes)} of what is retained is native.")
    for before, after in cost.counters:
        change = after.now_bytes - (before.now_bytes if before else 0)
        rose = after.highest_bytes - (before.highest_bytes if before else 0)
        if max(abs(change), rose) >= NOTABLE_COUNTER_BYTES:
            highest = f", and {format_bytes(after.highest_bytes)} at its highest" if rose > 0 else ""
            notes.append(
                f"{after.name} itself counts {format_bytes(change, sign=True)}: it holds "
                f"{format_bytes(after.now_bytes)} now{highest}."
            )
    if cost.children_bytes:
        notes.append(f"Child processes held up to {format_bytes(cost.children_bytes)} more, beside the above.")
    return notes


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def _clip(source: str) -> str:
    return source if len(source) <= SOURCE_WIDTH else source[: SOURCE_WIDTH - 1] + "\u2026"
