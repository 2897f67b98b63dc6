"""What may follow on a ``%memwatch`` line: sub-commands, options and names of variables, for the Tab key."""

import re
from collections.abc import Iterable

from memanalysis.notebook.memwatch_commands import COMMANDS
from memanalysis.notebook.memwatch_parser import make_cell_parser, make_line_parser

__all__ = ["complete_line"]

_LINE = re.compile(r"\s*(?P<magic>%%?memwatch)\s+(?P<words>.*)")


def complete_line(until_cursor: str, *, variables: Iterable[str] = ()) -> list[str] | None:
    """Return the words that fit where the cursor stands; None where other completions are wanted.

    Parameters
    ----------
    until_cursor : str
        The line up to the cursor.
    variables : iterable of str
        Names that a sub-command which takes names of variables is completed with.
    """
    match = _LINE.fullmatch(until_cursor)
    if match is None:
        return None
    *before, typed = re.split(r"\s+", match["words"])
    if match["magic"] == "%%memwatch":
        return _fitting([*make_cell_parser().option_strings], typed) if typed.startswith("-") or not typed else None
    if not before:
        return _fitting(COMMANDS, typed)
    command = COMMANDS.get(before[0])
    if command is None:
        return None
    options = make_line_parser(before[0]).option_strings
    if typed.startswith("-"):
        return _fitting(options, typed)
    if command.names_variables:
        return _fitting(variables, typed)
    if command.takes_statement or typed or before[-1].startswith("-"):
        return None  # code, or the value of an option: files and names are completed as ever
    return _fitting(options, typed)


def _fitting(words: Iterable[str], typed: str) -> list[str]:
    return [word for word in words if word.startswith(typed) and word != "-h"]
