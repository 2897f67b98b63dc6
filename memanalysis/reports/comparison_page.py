"""Render a comparison as one HTML page: what became worse, with the interval of each change, and its lines of code."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from memanalysis._html import render_template
from memanalysis._tables import Cell, CellText, Column, Table
from memanalysis._text import make_printable
from memanalysis._version import __version__
from memanalysis.reports.change_chart import LevelChange, draw_changes_picture
from memanalysis.reports.comparison_pages import count_changes, list_services
from memanalysis.reports.styles import render_styles
from memanalysis.reports.verdict_cells import known_number, render_place
from memanalysis.units import format_bytes, format_growth, format_growth_interval
from memanalysis.verdicts.change_sentences import ServiceChange, describe_change, describe_service_changes

__all__ = ["render_comparison_page"]

MAX_DRAWN = 12
"""Services in the chart: more are not seen on one screen."""

MAX_ROWS = 100
"""Services in the table, the worse first; the others are counted."""

MAX_PARTS = 24
"""Services that changed and have a part of their own."""

MAX_LINES = 20
"""Lines of code of one service, those that changed most."""

_MARKS = {"worse": "▲", "better": "▼", "same": "○"}
"""A shape beside each word, for readers who do not distinguish its colour."""

_Row = Mapping[Hashable, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServicePart:
    """A service that changed: its name, its badge, a sentence a figure, and its lines."""

    service: str
    badge: Cell
    sentences: Sequence[str]
    lines: Table
    n_lines: int


def render_comparison_page(
    changes: pd.DataFrame, *, not_compared: Sequence[str], before: str, after: str, title: str = "Memory compared"
) -> str:
    """Return a whole HTML document.

    Parameters
    ----------
    changes : DataFrame
        What `compare` gives.
    not_compared : sequence of str
        Services without enough samples on both sides.
    before, after : str
        What the two sides are.
    """
    described = describe_service_changes(changes)
    rows_of = {make_printable(str(name)): rows for name, rows in changes.groupby("service", observed=True)}
    shown = described[:MAX_ROWS]
    drawn = [_read_level(change, rows_of[change.service]) for change in described[:MAX_DRAWN]]
    levels = [level for level in drawn if level is not None]
    changed = [change for change in described if change.verdict != "same"]
    page = {"title": make_printable(title), "headline": count_changes(described)}
    facts = [("Before", before), ("After", after), ("Services compared", f"{len(described):,}")]
    body = render_template(
        "comparison_body.html.j2",
        page=page,
        version=__version__,
        styles=render_styles(),
        facts_of_sides=[*facts, *([("Not compared", list_services(not_compared))] if not_compared else [])],
        picture=draw_changes_picture(levels, salt="changes") if levels else None,
        services=_make_service_table(shown, rows_of),
        n_services=len(described),
        parts=[_make_part(change, rows_of[change.service]) for change in changed[:MAX_PARTS]],
        more_parts=len(changed) - MAX_PARTS,
    )
    return f"{render_template('report_page.html.j2', report=page, body=body, version=__version__)}\n"


def _read_level(change: ServiceChange, rows: pd.DataFrame) -> LevelChange | None:
    found = _find_figure(rows, "level_bytes")
    if found is None:
        return None
    size_bytes, low, high = (known_number(found[name]) for name in ("change", "low", "high"))
    if size_bytes is None or low is None or high is None:
        return None
    return LevelChange(
        service=change.service,
        change_bytes=size_bytes,
        low_bytes=low,
        high_bytes=high,
        is_changed=found["verdict"] != "same",
    )


def _make_service_table(described: Sequence[ServiceChange], rows_of: Mapping[str, pd.DataFrame]) -> Table:
    rows: list[list[CellText]] = []
    for change in described:
        level, slope = (_find_figure(rows_of[change.service], what) for what in ("level_bytes", "slope_bytes_per_s"))
        rows.append(
            [
                Cell(change.service, kind="name"),
                _make_badge(change),
                *(["-"] * 2 if level is None else [_from_to(level, format_bytes), _bytes_with_interval(level)]),
                *(["-"] * 2 if slope is None else [_from_to(slope, format_growth), _rate_with_interval(slope)]),
            ]
        )
    numbers = [Column(title, "number") for title in ("level", "its change", "growth", "its change")]
    return Table([Column("service"), Column("it is"), *numbers], rows, label="Services")


def _make_part(change: ServiceChange, rows: pd.DataFrame) -> _ServicePart:
    own = rows[rows["verdict"] != "same"]
    lines = own[own["what"] == "site_bytes"]
    lines = lines.reindex(lines["change"].abs().sort_values(ascending=False, kind="stable").index)
    figures = own[own["what"] != "site_bytes"].to_dict("records")
    return _ServicePart(
        service=change.service,
        badge=_make_badge(change),
        sentences=[describe_change(row) for row in figures],
        lines=_make_line_table(lines.head(MAX_LINES)),
        n_lines=len(lines),
    )


def _make_line_table(lines: pd.DataFrame) -> Table:
    rows: list[list[CellText]] = [
        [
            Cell(
                render_place(str(row["file"]), known_number(row["line"]), short=True),
                note=f"in {row['function']}" if isinstance(row["function"], str) else "",
                kind="code",
                hint=render_place(str(row["file"]), known_number(row["line"]), short=False),
            ),
            str(row["verdict"]),
            format_bytes(known_number(row["before"])),
            format_bytes(known_number(row["after"])),
            _bytes_with_interval(row),
        ]
        for row in lines.to_dict("records")
    ]
    numbers = [Column(title, "number") for title in ("held before", "held after", "change")]
    return Table([Column("line"), Column("it is"), *numbers], rows, label="Lines")


def _find_figure(rows: pd.DataFrame, what: str) -> _Row | None:
    found = rows[rows["what"] == what].to_dict("records")
    return found[0] if found else None


def _from_to(row: _Row, render: Any) -> str:
    before, after = (render(known_number(row[side])) for side in ("before", "after"))
    return f"{before} to {after}"


def _bytes_with_interval(row: _Row) -> Cell:
    low, high = (format_bytes(known_number(row[end]), sign=True) for end in ("low", "high"))
    return Cell(format_bytes(known_number(row["change"]), sign=True), note=f"{low} to {high}")


def _rate_with_interval(row: _Row) -> Cell:
    ends = [known_number(row[name]) for name in ("change", "low", "high")]
    return Cell(format_growth(*ends), note=format_growth_interval(*ends))


def _make_badge(change: ServiceChange) -> Cell:
    return Cell(change.verdict, kind="badge", mark=_MARKS[change.verdict])
