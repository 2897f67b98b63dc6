"""Options that several commands have, with the same meaning: the policy, accepted leaks, and the file to write."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from memanalysis.cli.command_help import PATH

__all__ = ["add_format_option", "add_out_option", "add_policy_option", "add_policy_options", "choose_format"]

_FORMATS_BY_ENDING = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json", ".txt": "text"}

_Function = Callable[..., int]


def add_policy_option(function: _Function) -> _Function:
    """Add ``--policy``."""
    option = click.option(
        "--policy", type=PATH, metavar="FILE", help="Policy file with the budgets. Without it there are none."
    )
    return option(function)


def add_policy_options(function: _Function) -> _Function:
    """Add ``--policy`` and ``--known-leaks``, which is also ``--known``."""
    known = click.option(
        "--known-leaks",
        "--known",
        type=PATH,
        metavar="FILE",
        help="File of accepted leaks, which are not counted.",
    )
    return add_policy_option(known(function))


def add_out_option(default: str) -> Callable[[_Function], _Function]:
    """Return what adds ``-o``, of a command that writes HTML to this file and other formats to standard output."""
    return click.option(
        "-o",
        "--out",
        type=PATH,
        metavar="FILE",
        help=f"File to write, - for standard output (default: {default} for html, else standard output).",
    )


def add_format_option(formats: Sequence[str], *, default: str) -> Callable[[_Function], _Function]:
    """Return what adds ``--format``; without it `choose_format` decides."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        help=f"What to write (default: as the name of the file ends, else {default}).",
    )


def choose_format(form: str | None, out: str | None, *, formats: Sequence[str], default: str) -> str:
    """Return the format that was asked for, else that of the file's ending where it is one of them."""
    by_ending = _FORMATS_BY_ENDING.get(Path(out or "").suffix.lower(), default)
    return form or (by_ending if by_ending in formats else default)
