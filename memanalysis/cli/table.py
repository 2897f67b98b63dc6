"""How does a table fit the width it has: columns wrap first, and below their narrowest they are stacked.

A cell is text; a newline in it begins another line of the same cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memanalysis.cli.console import display_width

__all__ = ["Column", "render_table", "wrap_cell"]

GAP = "  "
"""Between two columns."""

_AFTER_PUNCTUATION = "_-/@"
"""A name without spaces is best broken after one of these: not inside a number, nor between a file and its line."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and how narrow it may be made.

    Parameters
    ----------
    title : str
        Heading; it wraps at spaces where the cells are narrower.
    narrowest : int or None
        Columns of text that its cells may be wrapped to; None keeps them whole.
    right : bool
        Whether cells stand at the right, as numbers do.
    """

    title: str
    narrowest: int | None = None
    right: bool = False


Paint = Callable[[int, int, str], str]


def render_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    rule: str = "-",
    paint: Paint | None = None,
) -> str:
    """Lines of text, none wider than `width` where a word does not force it.

    Parameters
    ----------
    columns : sequence of Column
        As many as a row has cells.
    rows : sequence of sequence of str
        The cells.
    width : int
        Columns of the terminal.
    rule : str
        Character that the line under the headings is made of.
    paint : callable, optional
        ``paint(row, column, text)`` gives the padded text of a cell its colour.
    """
    widths = _fit_widths(columns, rows, width)
    if widths is None:
        return _render_stacked(columns, rows, width)
    lines = _render_row([column.title for column in columns], columns, widths, None)
    lines.append(GAP.join(rule * column_width for column_width in widths))
    for number, row in enumerate(rows):
        painter = None if paint is None else lambda column, text, number=number: paint(number, column, text)
        lines += _render_row(row, columns, widths, painter)
    return "\n".join(line.rstrip() for line in lines)


def wrap_cell(text: str, width: int) -> list[str]:
    """Lines of a cell, each at most `width` wide, broken after punctuation where there is some."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        rest = paragraph
        while display_width(rest) > width:
            end = _break_at(rest, width)
            lines.append(rest[:end].rstrip())
            rest = rest[end:].lstrip()
        lines.append(rest)
    return lines


def _fit_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Width of each column, or None where they do not fit side by side."""
    cells = [
        max([0, *(display_width(line) for row in rows for line in row[at].split("\n"))]) for at in range(len(columns))
    ]
    longest = [max(display_width(column.title), cells[at]) for at, column in enumerate(columns)]
    shortest = [
        max(_longest_word(column.title), cells[at] if column.narrowest is None else min(cells[at], column.narrowest))
        for at, column in enumerate(columns)
    ]
    widths = list(longest)
    room = width - len(GAP) * (len(columns) - 1)
    if sum(shortest) > room:
        return None
    while sum(widths) > room:
        # Numbers first, which wrap between their words; then the longest name.
        at = max(
            (at for at in range(len(widths)) if widths[at] > shortest[at]),
            key=lambda at: (columns[at].right, widths[at]),
        )
        widths[at] -= 1
    return widths


def _render_row(
    cells: Sequence[str],
    columns: Sequence[Column],
    widths: Sequence[int],
    paint: Callable[[int, str], str] | None,
) -> list[str]:
    wrapped = [wrap_cell(cell, column_width) for cell, column_width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = []
        for at, column in enumerate(columns):
            text = wrapped[at][number] if number < len(wrapped[at]) else ""
            space = " " * (widths[at] - display_width(text))
            padded = space + text if column.right else text + space
            parts.append(paint(at, padded) if paint and text else padded)
        lines.append(GAP.join(parts))
    return lines


def _render_stacked(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    """One line a cell, for a terminal too narrow for columns."""
    title_width = max(display_width(column.title) for column in columns)
    lines: list[str] = []
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            space = " " * (title_width - display_width(column.title))
            parts = wrap_cell(cell, max(8, width - title_width - len(GAP)))
            lines.append(f"{column.title}{space}{GAP}{parts[0]}")
            lines += [f"{' ' * title_width}{GAP}{part}" for part in parts[1:]]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _break_at(text: str, width: int) -> int:
    """Index after which to break: the last space that fits, else the last punctuation, else as much as fits."""
    used, after_space, after_punctuation, end = 0, 0, 0, 0
    for index, char in enumerate(text):
        used += display_width(char)
        if char == " " and used <= width + 1:
            after_space = index + 1
        if used > width:
            break
        end = index + 1
        if char in _AFTER_PUNCTUATION:
            after_punctuation = end
    return after_space or after_punctuation or max(1, end)


def _longest_word(text: str) -> int:
    return max((display_width(word) for word in text.split()), default=0)
