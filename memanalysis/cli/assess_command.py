"""``memanalysis assess LEDGER``: a verdict on every service of a ledger, for people or for programs."""

import argparse
from typing import TYPE_CHECKING

from memanalysis._text import make_printable
from memanalysis.cli.console import describe_command, open_console

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["EXIT_LEAK", "FORMATS", "FORMULA_STARTS", "add_parser", "run"]

FORMATS = ("table", "json", "csv", "markdown", "known-leaks")

EXIT_LEAK = 1
"""Code of ``--check`` where a leak is new, or accepted no longer."""

FORMULA_STARTS = ("=", "+", "-", "@")
"""Spreadsheets run a cell of text that begins so, also after blanks, tabs and line ends."""

_EXAMPLE = """\
example:
  memanalysis assess logs/ledger --policy config/memory_policy.yaml
  memanalysis assess logs/ledger --format json | jq '.[] | select(.is_leak)'
  memanalysis assess logs/ledger --known-leaks known_leaks.yaml --check
  memanalysis assess logs/ledger --format known-leaks > known_leaks.yaml
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``assess`` to the command line."""
    parser = commands.add_parser(
        "assess",
        help="print a verdict on every service of a ledger",
        **describe_command(
            "Print a verdict on every service of a ledger: its shape, whether it leaks, how fast, and where.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("ledger", metavar="LEDGER", help="directory, file or URL of a ledger")
    parser.add_argument("--policy", metavar="FILE", help="policy file with the budgets; without one none apply")
    parser.add_argument("--known-leaks", metavar="FILE", help="file of accepted leaks: these are told, but not counted")
    parser.add_argument(
        "--check", action="store_true", help=f"exit with {EXIT_LEAK} where a leak is new or its acceptance has expired"
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="what to print (default: table)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Assess the ledger and print the verdicts."""
    from memanalysis.analysis.leaks.accepted_leaks import count_unaccepted
    from memanalysis.cli.verdict_output import say_verdicts
    from memanalysis.reports.json_report import render_verdicts_json
    from memanalysis.reports.markdown_report import render_verdicts_markdown
    from memanalysis.verdicts.assess import assess
    from memanalysis.verdicts.known_leaks import render_known_leaks

    verdicts = assess(arguments.ledger, policy=arguments.policy, known_leaks=arguments.known_leaks)
    console = open_console()
    render: dict[str, Callable[[pd.DataFrame], str]] = {
        "json": render_verdicts_json,
        "csv": _render_csv,
        "markdown": render_verdicts_markdown,
        "known-leaks": render_known_leaks,
    }
    if arguments.format == "table":
        say_verdicts(console, verdicts)
    else:
        console.stream.write(render[arguments.format](verdicts).rstrip("\n") + "\n")
    return EXIT_LEAK if arguments.check and count_unaccepted(verdicts) else 0


def _render_csv(verdicts: "pd.DataFrame") -> str:
    """Comma-separated values that neither steer a terminal nor are run as a formula by a spreadsheet."""
    return verdicts.map(_harmless_cell).to_csv(index=False)


def _harmless_cell(cell: object) -> object:
    """The cell with control characters as escapes, and an apostrophe before what a spreadsheet takes for a formula.

    Numbers stay numbers, also negative ones.
    """
    if not isinstance(cell, str):
        return cell
    return f"'{make_printable(cell)}" if cell.lstrip().startswith(FORMULA_STARTS) else make_printable(cell)
