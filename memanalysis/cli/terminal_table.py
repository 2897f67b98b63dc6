"""Tables for a terminal, drawn by rich: names wrap after punctuation, and a place keeps its file and line whole."""

import re
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from memanalysis._text import make_printable
from memanalysis.cli.terminal import print_line, to_text

__all__ = ["Name", "Place", "make_table", "measure_min_width", "print_records", "print_table"]

MIN_NAME_WIDTH = 8
"""Columns that a long name is left at least."""

MAX_FILE_WIDTH = 40
"""Columns of file and line that are never shortened."""

_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)

_PIECE = re.compile(r"[^_\-/.@: ]*(?:[_\-/.@: ]+|$)")
"""Part of a name up to its next punctuation."""


class Name:
    """The name of a service, which wraps after its punctuation and loses no character.

    Parameters
    ----------
    text : str
        The name, as it stands in a ledger.
    style : str
        Style of rich.
    """

    def __init__(self, text: str, style: str = "") -> None:
        self.text = to_text(text).plain
        self.style = style

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the least and the best width."""
        width = max(map(cell_len, self.text.split("\n")))
        return Measurement(min(width, MIN_NAME_WIDTH), width).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the name in the width that is there."""
        lines = [""]
        for piece in _PIECE.findall(self.text):
            if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > options.max_width:
                lines.append("")
            lines[-1] += piece
        yield Text("\n".join(lines), style=self.style, overflow="fold")


class Place:
    """``path/file.py:42``, shortened from the left to ``…/file.py:42`` where there is no space for all of it.

    Parameters
    ----------
    text : str
        File and line, or words that stand in place of them.
    indent : int
        Columns that are left free before it.
    """

    def __init__(self, text: str, indent: int = 0) -> None:
        self.text = make_printable(text)
        self.indent = indent

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the least and the best width."""
        width = self.indent + cell_len(self.text)
        file = re.split(r"[/\\]", self.text)[-1]
        short = self.indent + len(_get_mark(options)) + 1 + min(cell_len(file), MAX_FILE_WIDTH)
        return Measurement(min(width, short), width).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as much of the end as there is space for."""
        width = options.max_width - self.indent
        mark = _get_mark(options)
        shown = self.text
        if cell_len(shown) > width:
            while shown and cell_len(mark + shown) > width:
                shown = shown[1:]
            from_folder = shown[max(0, re.search(r"[/\\]|$", shown).start()) :]  # type: ignore[union-attr]
            shown = mark + (from_folder or shown)
        yield Text(" " * self.indent + shown, no_wrap=True, overflow="ignore")


def _get_mark(options: ConsoleOptions) -> str:
    return "..." if options.ascii_only else "…"


def make_table(console: Console, titles: Sequence[str], *, right: Iterable[str] = ()) -> Table:
    """Return an empty table whose first column wraps, and the others do not.

    Parameters
    ----------
    console : Console
        Where it is to be printed.
    titles : sequence of str
        One a column.
    right : iterable of str
        Titles of the columns of numbers.
    """
    table = Table(
        box=_ASCII_HEAD if console.options.ascii_only else SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="",
    )
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if title in set(right) else "left", no_wrap=number > 0, vertical="top")
    return table


def measure_min_width(console: Console, table: Table) -> int:
    """Return the columns that a table takes with its first one as narrow as may be, and the others whole."""
    options = console.options.update(width=10_000)
    first, *others = table.columns
    width = max(Measurement.get(console, options, cell).minimum for cell in first._cells)
    for column in others:
        width += 2 + max(Measurement.get(console, options, cell).maximum for cell in [column.header, *column._cells])
    return width


def print_table(console: Console, table: Table) -> None:
    """Print a table without blanks at the ends of its lines."""
    with console.capture() as drawn:
        console.print(table)
    console.file.write("".join(f"{line.rstrip()}\n" for line in drawn.get().split("\n")[:-1]))
    console.file.flush()


def print_records(console: Console, records: Sequence[Sequence[tuple[str, object]]]) -> None:
    """Print each row as lines of a title and a value, for a terminal too narrow for columns."""
    for number, record in enumerate(records):
        grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for title, value in record:
            grid.add_row(Text(title), value)  # type: ignore[arg-type]
        if number:
            print_line(console)
        print_table(console, grid)
