"""``memanalysis report LEDGER``: verdicts with charts, breaches and guilty lines, in one file."""

import argparse

from memanalysis.cli.console import describe_command, open_console, render_plain

__all__ = ["DEFAULT_OUT", "FORMATS", "add_parser", "run"]

FORMATS = ("html", "markdown", "json")

DEFAULT_OUT = "report.html"
"""Where HTML goes unless told otherwise; the other formats go to standard output."""

_EXAMPLE = """\
example:
  memanalysis report logs/ledger -o report.html
  memanalysis report logs/ledger --format markdown > report.md
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``report`` to the command line."""
    parser = commands.add_parser(
        "report",
        help="write a report with charts on a ledger",
        **describe_command(
            "Write a report on a ledger: verdicts, charts of memory over time, guilty lines, breaches of budgets.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("ledger", metavar="LEDGER", help="directory, file or URL of a ledger")
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help=f"file to write, - for standard output (default: {DEFAULT_OUT} for html, else standard output)",
    )
    parser.add_argument("--policy", metavar="FILE", help="policy file with the budgets; without one none apply")
    parser.add_argument("--known-leaks", metavar="FILE", help="file of accepted leaks: these are told, but not counted")
    parser.add_argument("--format", choices=FORMATS, default="html", help="what to write (default: html)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the report and write it to a file or to standard output."""
    from memanalysis.reports.make_report import report

    made = report(arguments.ledger, policy=arguments.policy, known_leaks=arguments.known_leaks)
    write = {"html": made.to_html, "markdown": made.to_markdown, "json": made.to_json}[arguments.format]
    console = open_console()
    out = arguments.out or (DEFAULT_OUT if arguments.format == "html" else "-")
    if out == "-":
        console.stream.write(write())
        return 0
    write(out)
    console.say_wrapped(made.headline)
    console.say(f"Report: {render_plain(out)}")
    return 0
