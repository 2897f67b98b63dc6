"""The parser of ``%memwatch`` lines and of the first line of ``%%memwatch`` cells."""

import argparse
import shlex
from typing import NoReturn

from IPython.core.error import UsageError

from memanalysis.notebook.sampled_cell import CELL_FRAMES
from memanalysis.notebook.show import TOP_LINES

__all__ = ["WORDS", "MagicParser", "make_cell_parser", "make_line_parser"]

WORDS = ("on", "off", "status", "report", "release")
"""What ``%memwatch`` can be followed by."""


class MagicParser(argparse.ArgumentParser):
    """Parser of the options of a magic; an error is one sentence, and ends no process."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def parse_line(self, line: str) -> argparse.Namespace:
        """Return the options of a line; raise `UsageError` where they are wrong."""
        try:
            words = shlex.split(line)
        except ValueError as exc:
            raise UsageError(f"{self.prog} could not read {line!r}: {exc}.") from None
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` in place of ending the process."""
        raise UsageError(f"{self.prog}: {message}. See {self.prog}? for examples.")


def make_line_parser() -> MagicParser:
    """Return the parser of a ``%memwatch`` line."""
    parser = MagicParser("%memwatch")
    parser.add_argument("word", nargs="?", default="status")
    parser.add_argument("cells", nargs="*")
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--ledger")
    parser.add_argument("--service")
    parser.add_argument("--trace", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--verbose", action="store_true")
    return parser


def make_cell_parser() -> MagicParser:
    """Return the parser of the first line of a ``%%memwatch`` cell."""
    parser = MagicParser("%%memwatch")
    parser.add_argument("--top", type=_at_least_one, default=TOP_LINES)
    parser.add_argument("--frames", type=_at_least_one, default=CELL_FRAMES)
    return parser


def _at_least_one(text: str) -> int:
    """Return a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number of 1 or more, but got {text!r}")
    return int(text)
