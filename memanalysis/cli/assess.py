"""``memanalysis assess LEDGER``: a verdict on every service of a ledger, for people or for programs."""

import argparse
from typing import TYPE_CHECKING

from memanalysis.cli.console import describe_command, open_console

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["FORMATS", "add_parser", "run"]

FORMATS = ("table", "json", "csv", "markdown")

_EXAMPLE = """\
example:
  memanalysis assess logs/ledger --policy config/memory_policy.yaml
  memanalysis assess logs/ledger --format json | jq '.[] | select(.is_leak)'
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
    parser.add_argument("--format", choices=FORMATS, default="table", help="what to print (default: table)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Assess the ledger and print the verdicts."""
    from memanalysis.cli.verdicts import say_verdicts
    from memanalysis.reports.assess import assess
    from memanalysis.reports.json import render_verdicts_json
    from memanalysis.reports.markdown import render_verdicts_markdown

    verdicts = assess(arguments.ledger, policy=arguments.policy)
    console = open_console()
    if arguments.format == "table":
        say_verdicts(console, verdicts)
        return 0
    render: dict[str, Callable[[pd.DataFrame], str]] = {
        "json": render_verdicts_json,
        "csv": lambda frame: frame.to_csv(index=False),
        "markdown": render_verdicts_markdown,
    }
    console.stream.write(render[arguments.format](verdicts).rstrip("\n") + "\n")
    return 0
