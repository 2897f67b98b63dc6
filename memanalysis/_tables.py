"""Render one record of a table as plain text, as Markdown or as HTML.

A cell is text or a `Cell`, which defines how HTML shows it; plain text and Markdown show its text and its note. Text
may hold anything: Markdown and HTML escape it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from memanalysis._text import make_printable

__all__ = [
    "Cell",
    "CellText",
    "Column",
    "Table",
    "escape_markdown",
    "render_html_table",
    "render_markdown_table",
    "render_text_table",
]

ColumnKind = Literal["text", "number", "code", "source"]
"""``number`` is aligned to the right; ``code`` stays on one line, ``source`` is code that wraps."""

_SPECIAL = re.compile(r"([\\`*{}\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_]))")
"""What Markdown reads as markup inside a line; an underscore within a word is none."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, and what its cells hold."""

    title: str
    kind: ColumnKind = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with more than plain text.

    Parameters
    ----------
    text : str
        What the cell holds, in every format.
    note : str
        More about it: a second line in HTML, in parentheses elsewhere.
    kind : str
        How HTML shows the text: as it is, in bold, as code, as the badge of a severity, or beside a bar.
    hint : str
        What HTML shows when the pointer rests on it.
    mark : str
        Sign before the text of a badge.
    share : float
        Filled part of the bar, 0 to 1.
    """

    text: str
    note: str = ""
    kind: Literal["text", "name", "code", "badge", "bar"] = "text"
    hint: str = ""
    mark: str = ""
    share: float = 0.0

    def __str__(self) -> str:
        return f"{self.text} ({self.note})" if self.note else self.text


CellText = str | Cell


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; ``label`` names the table to those who hear the page read out."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[CellText]]
    label: str = ""


def render_text_table(table: Table, *, indent: str = "  ") -> str:
    """Return the table as lines of plain text whose columns are aligned."""
    rows = [[column.title for column in table.columns], *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    is_number = [column.kind == "number" for column in table.columns]
    lines = []
    for row in rows:
        cells = zip(row, widths, is_number, strict=True)
        padded = [text.rjust(width) if right else text.ljust(width) for text, width, right in cells]
        lines.append(indent + "  ".join(padded).rstrip())
    return "\n".join(lines)


def render_markdown_table(table: Table) -> str:
    """Return the table in the pipe syntax of GitHub's Markdown, each line ended."""
    titles = [column.title for column in table.columns]
    rule = ["---:" if column.kind == "number" else "---" for column in table.columns]
    rows = [[escape_markdown(make_printable(cell)) for cell in row] for row in table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in (titles, rule, *rows))


def render_html_table(table: Table, *, inline: bool = False) -> str:
    """Return the table as HTML.

    Parameters
    ----------
    table : Table
    inline : bool
        Whether the table carries its styles itself, as in the output of a notebook; else those of ``report.css`` apply.
    """
    from memanalysis._html import render_macro

    return str(render_macro("table.html.j2", "table", table, inline=inline))


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it stands within a line, a heading or a cell."""
    return _SPECIAL.sub(r"\\\1", text)
