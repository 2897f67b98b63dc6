"""``memanalysis assess LEDGER``: a verdict on every service of a ledger, for people or for programs."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from memanalysis._text import make_printable
from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine
from memanalysis.cli.shared_options import add_policy_options

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = [
    "DEFAULT_TOP",
    "FORMATS",
    "FORMULA_STARTS",
    "add_selection_options",
    "command",
    "make_selection",
    "render_csv",
]

FORMATS = ("table", "json", "csv", "markdown", "known-leaks")

DEFAULT_TOP = 10
"""Verdicts of a table; more are not read in a terminal, and the worst come first."""

MAX_DEATHS = 5
"""Services that died, with a sentence of their own in a terminal; the others are counted."""

FORMULA_STARTS = ("=", "+", "-", "@")
"""Spreadsheets run a cell of text that begins so, also after blanks, tabs and line ends."""

_EXAMPLES = """\
memanalysis assess logs/ledger --policy config/memory_policy.yaml
memanalysis assess logs/ledger --json | jq '.[] | select(.is_leak)'
memanalysis assess logs/ledger --service api --service worker --since 7d --all
memanalysis assess logs/ledger --format known-leaks > known_leaks.yaml
memanalysis assess s3://bucket/ledger --engine dask
"""


def add_selection_options(function: "Callable[..., int]") -> "Callable[..., int]":
    """Add the options that select runs."""
    for option in (
        click.option("--all", "is_all", is_flag=True, help="Every run, not the latest of each service."),
        click.option(
            "--since",
            metavar="WHEN",
            help="Only runs still recorded then or later: 2026-11-01, 2026-11-01T08:00, or 7d, 12h, 30m ago.",
        ),
        click.option("--service", "services", multiple=True, metavar="NAME", help="Only this one; may be repeated."),
    ):
        function = option(function)
    return function


@click.command(
    "assess",
    cls=Command,
    help="Print a verdict on the latest run of every service of a ledger: its shape, whether it leaks, how fast it "
    "grows, the line that is responsible, and the time until it reaches its budget. Below them, "
    "print how each service died whose latest run did not end in order.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@add_policy_options
@add_selection_options
@add_engine_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Only the N worst verdicts (default: {DEFAULT_TOP} in a table, else all).",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="What to print (default: table).")
@add_json_option
def command(
    ledger: str, form: str, top: int | None, is_json: bool, engine: str, scheduler: str | None, **settings: Any
) -> int:
    """Assess the ledger and print the verdicts, and who died."""
    from memanalysis.cli.terminal import open_console, show_progress

    since = settings["since"]
    with show_progress(f"Reading {ledger}") as show:
        from memanalysis.cli.verdict_output import print_deaths, print_verdicts
        from memanalysis.reports.headline import order_verdicts
        from memanalysis.reports.json_report import render_verdicts_json
        from memanalysis.reports.last_deaths import read_last_deaths
        from memanalysis.reports.markdown_report import render_verdicts_markdown
        from memanalysis.verdicts.assess import judge_ledger
        from memanalysis.verdicts.engines import resolve_engine
        from memanalysis.verdicts.known_leaks import apply_known_leaks, render_known_leaks, resolve_known_leaks
        from memanalysis.verdicts.run_ends import read_run_ends, read_runs
        from memanalysis.verdicts.run_selection import RunSelection
        from memanalysis.verdicts.sources import resolve_ledger, resolve_policy

        show(f"Assessing {ledger}")
        policy = resolve_policy(settings.pop("policy"), call="assess")
        known = resolve_known_leaks(settings.pop("known_leaks"), call="assess")
        selection = RunSelection(**make_selection(**settings))
        works_on = resolve_engine(make_engine(engine, scheduler, show), call="assess")
        opened = resolve_ledger(ledger, call="assess")
        runs = read_runs(opened)
        ends = read_run_ends(opened, runs)  # for the verdicts, and for the deaths below them
        judged = judge_ledger(opened, policy, selection, runs=runs, ends=ends, engine=works_on).verdicts
        verdicts = apply_known_leaks(judged, known, today=None)
        form = "json" if is_json else form
        deaths = (
            read_last_deaths(opened, verdicts, ends, top=MAX_DEATHS, since=selection.since) if form == "table" else None
        )
    worst = verdicts if top is None else order_verdicts(verdicts).head(top)
    render: dict[str, Callable[[pd.DataFrame], str]] = {
        "json": render_verdicts_json,
        "csv": render_csv,
        "markdown": render_verdicts_markdown,
        "known-leaks": render_known_leaks,
    }
    if deaths is not None:
        console = open_console()
        print_verdicts(console, verdicts, top=top or DEFAULT_TOP, since=since)
        print_deaths(console, deaths, ledger=ledger)
    else:
        sys.stdout.write(render[form](worst).rstrip("\n") + "\n")
    return 0


def make_selection(services: tuple[str, ...], since: str | None, is_all: bool) -> dict[str, Any]:
    """Return the arguments of `assess` that select runs."""
    from memanalysis.verdicts.run_selection import parse_since

    return {
        "services": services or None,
        "since": None if since is None else parse_since(since, datetime.now(UTC)),
        "only_latest": not is_all,
    }


def render_csv(frame: "pd.DataFrame") -> str:
    """Return comma-separated values that neither steer a terminal nor are run as a formula by a spreadsheet."""
    return frame.map(_harmless_cell).to_csv(index=False)


def _harmless_cell(cell: object) -> object:
    """Return the cell with control characters as escapes, and an apostrophe before what a spreadsheet would run.

    Numbers stay numbers, also negative ones.
    """
    if not isinstance(cell, str):
        return cell
    return f"'{make_printable(cell)}" if cell.lstrip().startswith(FORMULA_STARTS) else make_printable(cell)
