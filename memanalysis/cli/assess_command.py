"""``memanalysis assess LEDGER``: a verdict on every service of a ledger, for people or for programs."""

import sys
from typing import TYPE_CHECKING

import click

from memanalysis._text import make_printable
from memanalysis.cli.command_help import PATH, ROWS, Argument, Command

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["EXIT_LEAK", "FORMATS", "FORMULA_STARTS", "command"]

FORMATS = ("table", "json", "csv", "markdown", "known-leaks")

EXIT_LEAK = 1
"""Code of ``--check`` where a leak is new, or accepted no longer."""

FORMULA_STARTS = ("=", "+", "-", "@")
"""Spreadsheets run a cell of text that begins so, also after blanks, tabs and line ends."""

_EXAMPLES = """\
memanalysis assess logs/ledger --policy config/memory_policy.yaml
memanalysis assess logs/ledger --format json | jq '.[] | select(.is_leak)'
memanalysis assess logs/ledger --known-leaks known_leaks.yaml --check
memanalysis assess logs/ledger --format known-leaks > known_leaks.yaml
"""


@click.command(
    "assess",
    cls=Command,
    help="Print a verdict on every service of a ledger: its shape, whether it leaks, how fast it grows, the line "
    "that is responsible, and the time until it reaches its budget.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.option("--policy", type=PATH, metavar="FILE", help="Policy file with the budgets. Without it there are none.")
@click.option(
    "--known-leaks", type=PATH, metavar="FILE", help="File of accepted leaks, which are listed but not counted."
)
@click.option("--check", is_flag=True, help=f"Exit with {EXIT_LEAK} where a leak is new or its acceptance has expired.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="What to print (default: table).")
def command(ledger: str, policy: str | None, known_leaks: str | None, check: bool, form: str) -> int:
    """Assess the ledger and print the verdicts."""
    from memanalysis.cli.terminal import open_console, show_progress

    with show_progress(f"Reading {ledger}") as show:
        from memanalysis.analysis.leaks.accepted_leaks import count_unaccepted
        from memanalysis.cli.verdict_output import print_verdicts
        from memanalysis.reports.json_report import render_verdicts_json
        from memanalysis.reports.markdown_report import render_verdicts_markdown
        from memanalysis.verdicts.assess import assess
        from memanalysis.verdicts.known_leaks import render_known_leaks

        show(f"Assessing {ledger}")
        verdicts = assess(ledger, policy=policy, known_leaks=known_leaks)
    render: dict[str, Callable[[pd.DataFrame], str]] = {
        "json": render_verdicts_json,
        "csv": _render_csv,
        "markdown": render_verdicts_markdown,
        "known-leaks": render_known_leaks,
    }
    if form == "table":
        print_verdicts(open_console(), verdicts)
    else:
        sys.stdout.write(render[form](verdicts).rstrip("\n") + "\n")
    return EXIT_LEAK if check and count_unaccepted(verdicts) else 0


def _render_csv(verdicts: "pd.DataFrame") -> str:
    """Return comma-separated values that neither steer a terminal nor are run as a formula by a spreadsheet."""
    return verdicts.map(_harmless_cell).to_csv(index=False)


def _harmless_cell(cell: object) -> object:
    """Return the cell with control characters as escapes, and an apostrophe before what a spreadsheet would run.

    Numbers stay numbers, also negative ones.
    """
    if not isinstance(cell, str):
        return cell
    return f"'{make_printable(cell)}" if cell.lstrip().startswith(FORMULA_STARTS) else make_printable(cell)
