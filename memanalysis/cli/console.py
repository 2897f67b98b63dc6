"""Where the commands write: how wide it is, whether it shows colour, and whether a line can be drawn over.

Colour and live lines are for terminals; a pipe, a file, ``NO_COLOR`` (https://no-color.org) or
``TERM=dumb`` gets plain text.
"""

import argparse
import os
import shutil
import sys
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import Any, TextIO

from memanalysis._text import make_printable

__all__ = ["Console", "describe_command", "display_width", "open_console", "render_plain"]

WIDEST = 120
"""Wider terminals are not filled: a line of text longer than this is hard to read."""

_COLOURS = {
    "bold": "1",
    "dim": "2",
    "low": "36",
    "medium": "33",
    "high": "31",
    "critical": "1;31",
    "good": "32",
}
"""ANSI codes by meaning; what is coloured always says the same in words."""


@dataclass(frozen=True, slots=True)
class Console:
    """A stream and what it can show."""

    stream: TextIO
    width: int
    colour: bool
    live: bool
    unicode: bool

    def say(self, text: str = "") -> None:
        """Write a line."""
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def say_wrapped(self, text: str, *, indent: str = "") -> None:
        """Write a paragraph broken at the width; the second line on is indented."""
        lines = textwrap.wrap(text, self.width, subsequent_indent=indent, break_on_hyphens=False) or [""]
        self.say("\n".join(lines))

    def redraw(self, text: str) -> None:
        """Draw over the line that the cursor is on."""
        self.stream.write(f"\r\x1b[2K{text}")
        self.stream.flush()

    def paint(self, text: str, meaning: str) -> str:
        """Colour a text by its meaning, where colour is shown."""
        code = _COLOURS.get(meaning)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text


def open_console(stream: TextIO | None = None) -> Console:
    """Standard output, or another stream, with what it can show."""
    stream = sys.stdout if stream is None else stream
    terminal = stream.isatty() and os.environ.get("TERM", "") != "dumb"
    return Console(
        stream=stream,
        width=min(WIDEST, shutil.get_terminal_size(fallback=(80, 24)).columns),
        colour=terminal and not os.environ.get("NO_COLOR"),
        live=terminal,
        unicode=(stream.encoding or "").lower().replace("-", "") == "utf8",
    )


def describe_command(text: str, *, example: str) -> dict[str, Any]:
    """Arguments for a parser whose help keeps the lines of its example, and breaks the others at 80 columns."""
    paragraphs = [textwrap.fill(part, 78) for part in text.split("\n\n")]
    return {
        "description": "\n\n".join(paragraphs),
        "epilog": example,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def display_width(text: str) -> int:
    """Columns that a text takes in a terminal: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def render_plain(text: str) -> str:
    """Text with control characters made visible but for the newline, fit for a terminal."""
    return "\n".join(map(make_printable, text.split("\n")))
