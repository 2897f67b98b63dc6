"""Options that several commands have, with the same meaning: the policy, accepted leaks, and the file to write."""

from collections.abc import Callable

import click

from memanalysis.cli.command_help import PATH

__all__ = ["add_out_option", "add_policy_option", "add_policy_options"]

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
