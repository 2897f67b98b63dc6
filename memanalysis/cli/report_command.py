"""``memanalysis report LEDGER``: verdicts with charts, breaches and responsible lines, in one file."""

import sys
from typing import Any

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine
from memanalysis.cli.shared_options import add_format_option, add_out_option, add_policy_options, choose_format
from memanalysis.errors import InvalidArgumentError

__all__ = ["DEFAULT_OUT", "FORMATS", "command"]

FORMATS = ("html", "markdown", "json")

DEFAULT_OUT = "report.html"
"""Where HTML goes by default; the other formats go to standard output."""

_EXAMPLES = """\
memanalysis report logs/ledger -o report.html
memanalysis report logs/ledger -o report.md
memanalysis report logs/ledger --run 20261122T162746Z-77-0badcafe
"""


@click.command(
    "report",
    cls=Command,
    help="Write a report on a ledger, and print its headline: how a run ended, verdicts, charts of memory over time, "
    "responsible lines, breaches of budgets.",
    examples=_EXAMPLES,
    needs=(*ROWS, "matplotlib", "jinja2", "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@add_out_option(DEFAULT_OUT)
@add_policy_options
@add_engine_options
@click.option("--run", "run_id", metavar="ID", help="Report on this run alone, also on one before the latest.")
@click.option("--no-source", is_flag=True, help="Hide code, arguments, folders, and the text of an exception.")
@add_format_option(FORMATS, default="html")
@add_json_option
def command(
    ledger: str,
    out: str | None,
    run_id: str | None,
    no_source: bool,
    form: str | None,
    is_json: bool,
    engine: str,
    scheduler: str | None,
    **files: Any,
) -> int:
    """Make the report and write it to a file or to standard output."""
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph, show_progress

    form = "json" if is_json else choose_format(form, out, formats=FORMATS, default="html")
    target = out or (DEFAULT_OUT if form == "html" else "-")
    with show_progress(f"Reading {ledger}") as show:
        from memanalysis.reports.make_report import report

        show(f"Assessing {ledger}")
        works_on = make_engine(engine, scheduler, show)
        made = report(ledger, **files, run_id=run_id, source=not no_source, engine=works_on)
        if run_id is not None and made.verdicts.empty:
            raise InvalidArgumentError(
                f"memanalysis report needs --run with the ID of a run in {ledger}, but it holds no {run_id}. "
                f"memanalysis assess {ledger} --all --json lists its runs."
            )
        write = {"html": made.to_html, "markdown": made.to_markdown, "json": made.to_json}[form]
        show(f"Drawing the report on {ledger}")
        text = write() if target == "-" else None
        if text is None:
            write(target)
    if text is not None:
        sys.stdout.write(text)
        return 0
    console = open_console()
    print_paragraph(console, made.headline, indent=0)
    print_line(console, f"Report: {target}")
    return 0
