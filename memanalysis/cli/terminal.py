"""The terminal that the commands write to, drawn by rich: width, colour, paragraphs, and progress of long work.

Colour and progress are for terminals. A pipe, a file, ``NO_COLOR`` (https://no-color.org) or ``TERM=dumb`` gets plain
text. Nothing is read as rich's markup, and control characters are shown as escapes.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from memanalysis._text import make_printable

__all__ = ["open_console", "print_line", "print_paragraph", "show_progress", "to_text"]

MAX_WIDTH = 120
"""Wider terminals are not filled: a line of text longer than this is hard to read."""


def open_console(*, stderr: bool = False) -> Console:
    """Return standard output, or standard error, with what it can show."""
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty() and os.environ.get("TERM", "") != "dumb"
    return Console(
        file=stream,
        width=min(MAX_WIDTH, shutil.get_terminal_size(fallback=(80, 24)).columns),
        force_terminal=is_terminal,
        force_interactive=is_terminal,
        force_jupyter=False,
        color_system="auto" if is_terminal and not os.environ.get("NO_COLOR") else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def to_text(text: str, style: str = "") -> Text:
    """Return text as it is, with control characters as escapes except for the newline."""
    return Text("\n".join(map(make_printable, text.split("\n"))), style=style)


def print_line(console: Console, text: str = "") -> None:
    """Print text without wrapping it, so that a path or a command can be copied.

    Rich itself would end the process with code 1 on a closed pipe, and 1 is a finding.
    """
    console.file.write(f"{to_text(text).plain}\n")
    console.file.flush()


def print_paragraph(console: Console, text: str, *, indent: int = 2) -> None:
    """Print text wrapped between words, with an indent from the second line on. A word stays whole: it may be a path.

    Rich itself either breaks a long word or cuts it off.
    """
    lines: list[str] = []
    line, *words = make_printable(text).split(" ")
    for word in words:
        if line.strip() and cell_len(f"{line} {word}") > console.width:
            lines.append(line)
            line = " " * indent + word
        else:
            line = f"{line} {word}"
    print_line(console, "\n".join([*lines, line]))


@contextmanager
def show_progress(doing: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal's standard error what is done and for how long; nothing of it stays.

    Yields
    ------
    callable
        Takes the text of the next part of the work.
    """
    console = open_console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
    label = TextColumn("{task.description}", markup=False)
    label.get_table_column().no_wrap = True
    with Progress(spinner, label, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(to_text(doing).plain, total=None)
        yield lambda text: progress.update(task, description=to_text(text).plain)
