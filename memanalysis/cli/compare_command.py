"""``memanalysis compare BEFORE AFTER``: what became worse, from ledger to ledger, at a mark, or between releases."""

import sys
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = ["EXIT_WORSE", "command"]

EXIT_WORSE = 1
"""Code where a service became worse; 0 where none did, 2 for an error, such as nothing to compare."""

FORMATS = ("text", "json", "markdown", "csv")

_EXAMPLES = """\
memanalysis compare main-ledger branch-ledger
memanalysis compare logs/ledger --mark "deploy 1.4"
memanalysis compare logs/ledger --release 1.3 1.4
memanalysis compare logs/ledger --release 4f2c91a 98d1e07 --json
memanalysis compare s3://bucket/ledger --release 1.3 1.4 --engine dask
"""


@click.command(
    "compare",
    cls=Command,
    help="Compare two ledgers, or one that is cut at a mark or by release, and show which service and which line "
    "became worse or better. A change that may be noise is none. Exits with 1 where something became worse. Two sides "
    "without a service to compare are an error, and never pass.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("before", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.argument("after", cls=Argument, type=PATH, required=False, description="The ledger to compare it with.")
@click.option("--mark", metavar="TEXT", help="Cut the one ledger at this mark, each service where it has it first.")
@click.option(
    "--release",
    nargs=2,
    metavar="OLD NEW",
    help="Compare the runs of two releases, or of two commits, of the one ledger.",
)
@add_engine_options
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="What to print (default: text).")
@add_json_option
def command(
    before: str,
    after: str | None,
    mark: str | None,
    release: tuple[str, str] | None,
    form: str,
    is_json: bool,
    engine: str,
    scheduler: str | None,
) -> int:
    """Compare, print what changed, and return 1 where something became worse."""
    from memanalysis.cli.terminal import open_console, show_progress

    with show_progress(f"Comparing {before}") as show:
        from memanalysis.reports.comparison_pages import render_comparison_json, render_comparison_markdown
        from memanalysis.verdicts.change_sentences import describe_service_changes
        from memanalysis.verdicts.compare import compare
        from memanalysis.verdicts.sources import resolve_ledger

        ledgers = [resolve_ledger(path, call="compare") for path in (before, after) if path is not None]
        if len(ledgers) == 1 and mark is None and release is None:
            raise InvalidArgumentError(
                f"compare needs a second ledger, --mark or --release beside {before}. Name one of them."
            )
        changes = compare(*ledgers, mark=mark, release=release, engine=make_engine(engine, scheduler, show))
        if changes.empty:
            raise InvalidArgumentError(_explain_nothing([ledger.services for ledger in ledgers]))
        services = sorted({service for ledger in ledgers for service in ledger.services} - set(changes["service"]))
    if is_json or form == "json":
        sys.stdout.write(render_comparison_json(changes, not_compared=services))
    elif form == "markdown":
        sys.stdout.write(render_comparison_markdown(changes, not_compared=services))
    elif form == "csv":
        from memanalysis.cli.assess_command import render_csv

        sys.stdout.write(render_csv(changes))
    else:
        _print_changes(open_console(), changes, services)
    is_worse = any(change.verdict == "worse" for change in describe_service_changes(changes))
    return EXIT_WORSE if is_worse else 0


def _explain_nothing(services: list[list[str]]) -> str:
    """Return why no service was compared, and what to do; ``services`` are those of each ledger."""
    from memanalysis.reports.comparison_pages import list_services

    both = sorted(set(services[0]).intersection(*services[1:]))
    if not both:
        held = [list_services(sorted(names)) or "no service" for names in services]
        return (
            f"compare needs a service that both ledgers have, but the first holds {held[0]}, the second {held[-1]}. "
            "Record both under one name: memanalysis run --service NAME."
        )
    return (
        f"compare needs a service with enough samples on both sides, but {list_services(both)} "
        f"{'has' if len(both) == 1 else 'have'} too few. Record each side for longer, or at shorter intervals."
    )


def _print_changes(console: "Console", changes: "pd.DataFrame", not_compared: list[str]) -> None:
    """Print a paragraph a change, and who did not change."""
    from memanalysis.cli.terminal import print_paragraph
    from memanalysis.reports.comparison_pages import count_changes, list_services
    from memanalysis.verdicts.change_sentences import describe_service_changes

    described = describe_service_changes(changes)
    for change in described:
        for number, sentence in enumerate(change.sentences):
            print_paragraph(
                console, f"{change.verdict}: {change.service}: {sentence}" if not number else f"  {sentence}"
            )
    if not_compared:
        names = list_services(not_compared)
        print_paragraph(console, f"not compared: {names}: without enough samples on both sides.")
    print_paragraph(console, count_changes(described), indent=0)
