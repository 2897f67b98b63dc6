"""``memanalysis trend LEDGER``: what the last weeks changed, on one page."""

import sys
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine
from memanalysis.cli.shared_options import add_format_option, add_out_option, add_policy_options, choose_format

if TYPE_CHECKING:
    from rich.console import Console

    from memanalysis._tables import Table
    from memanalysis.reports.trend_report import Trend

__all__ = ["DEFAULT_OUT", "FORMATS", "command"]

FORMATS = ("text", "html", "markdown", "json")

DEFAULT_OUT = "trend.html"
"""Where HTML goes by default; the other formats go to standard output."""

_EXAMPLES = """\
memanalysis trend logs/ledger --policy config/memory_policy.yaml
memanalysis trend logs/ledger --weeks 12 -o trend.html
memanalysis trend logs/ledger -o trend.md
memanalysis trend logs/ledger --json | jq '.leaks[] | .status'
memanalysis trend s3://bucket/ledger --engine dask
"""


@click.command(
    "trend",
    cls=Command,
    help="Show what the last weeks changed: growth week on week and by release, which leaks are new, returned or gone, "
    "breaches of budgets, and the days on which limits are reached.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.option(
    "--weeks",
    type=click.IntRange(min=1, max=520),
    default=6,
    metavar="N",
    help="Weeks of seven days, back from the last sample (default: 6).",
)
@click.option("--top", type=click.IntRange(min=1), default=12, metavar="N", help="The N worst services (default: 12).")
@add_engine_options
@add_policy_options
@add_out_option(DEFAULT_OUT)
@add_format_option(FORMATS, default="text")
@add_json_option
def command(
    ledger: str,
    weeks: int,
    top: int,
    policy: str | None,
    known_leaks: str | None,
    out: str | None,
    form: str | None,
    is_json: bool,
    engine: str,
    scheduler: str | None,
) -> int:
    """Make the trend and show it, or write it to a file."""
    from memanalysis.cli.command_help import require_packages
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph, show_progress

    form = "json" if is_json else choose_format(form, out, formats=FORMATS, default="text")
    if form == "html":
        require_packages("memanalysis trend --format html", ("matplotlib", "jinja2"))
    target = out or (DEFAULT_OUT if form == "html" else "-")
    with show_progress(f"Reading {ledger}") as show:
        from memanalysis.reports.trend_pages import render_trend_text
        from memanalysis.reports.trend_report import trend

        works_on = make_engine(engine, scheduler, show)
        made = trend(ledger, weeks=weeks, policy=policy, known_leaks=known_leaks, top=top, engine=works_on)
        if form == "text" and target == "-":
            text = None
        else:
            show(f"Writing the trend of {ledger}")
            if form == "text":
                text = render_trend_text(made) + "\n"
            else:
                text = {"html": made.to_html, "markdown": made.to_markdown, "json": made.to_json}[form]()
    if text is None:
        _print_trend(open_console(), made)
    elif target == "-":
        sys.stdout.write(text)
    else:
        from memanalysis.reports.written_page import write_page

        write_page(text, target, "memanalysis trend")
        console = open_console()
        print_paragraph(console, made.headline, indent=0)
        print_line(console, f"Trend: {target}")
    return 0


def _print_trend(console: "Console", made: "Trend") -> None:
    """Print the sentences, and each table with its title."""
    from memanalysis.cli.terminal import print_line, print_paragraph
    from memanalysis.reports.trend_pages import list_parts

    print_paragraph(console, made.headline, indent=0)
    for part in list_parts(made):
        print_line(console)
        print_paragraph(console, part.title)
        if part.table.rows:
            _print_table(console, part.table)
        else:
            print_paragraph(console, part.empty)
        if part.rest:
            print_paragraph(console, part.rest)


def _print_table(console: "Console", table: "Table") -> None:
    """Print a table fitted to the console, or a record a row where the console is too narrow."""
    from memanalysis.cli.terminal import to_text
    from memanalysis.cli.terminal_table import Name, make_table, measure_min_width, print_records, print_table

    titles = [column.title for column in table.columns]
    drawn = make_table(console, titles, right=[column.title for column in table.columns if column.kind == "number"])
    records = [[(title, _split(cell)) for title, cell in zip(titles, row, strict=True)] for row in table.rows]
    for record in records:
        first, *others = (text for _, text in record)
        drawn.add_row(Name(first, style="bold"), *map(to_text, others))
    if measure_min_width(console, drawn) <= console.width:
        print_table(console, drawn)
    else:
        print_records(console, [[(title, to_text(text)) for title, text in record] for record in records])


def _split(cell: object) -> str:
    """Return the text of a cell with its note on a line of its own."""
    note = getattr(cell, "note", "")
    return f"{getattr(cell, 'text', cell)}\n{note}" if note else str(cell)
