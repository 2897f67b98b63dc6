"""``memanalysis compare BEFORE AFTER``: what became worse, from ledger to ledger, at a mark, or between releases."""

import sys
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine
from memanalysis.cli.shared_options import add_format_option, add_out_option, choose_format
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = ["EXIT_WORSE", "command"]

EXIT_WORSE = 1
"""Code where a service became worse; 0 where none did, 2 for an error, such as nothing to compare."""

FORMATS = ("text", "html", "markdown", "json", "csv")

DEFAULT_OUT = "comparison.html"
"""Where HTML goes by default; the other formats go to standard output."""

_EXAMPLES = """\
memanalysis compare main-ledger branch-ledger
memanalysis compare logs/ledger --mark "deploy 1.4"
memanalysis compare logs/ledger --release 1.3 1.4
memanalysis compare logs/ledger --release 4f2c91a 98d1e07 --json
memanalysis compare logs/ledger --since-release 1.4
memanalysis compare main-ledger branch-ledger -o comparison.html
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
@click.option(
    "--since-release",
    metavar="NAME",
    help="Compare the runs before this release or commit of the one ledger with those of it and of later ones.",
)
@add_engine_options
@add_out_option(DEFAULT_OUT)
@add_format_option(FORMATS, default="text")
@add_json_option
def command(
    before: str,
    after: str | None,
    mark: str | None,
    release: tuple[str, str] | None,
    since_release: str | None,
    out: str | None,
    form: str | None,
    is_json: bool,
    engine: str,
    scheduler: str | None,
) -> int:
    """Compare, print what changed or write it to a file, and return 1 where something became worse."""
    from memanalysis.cli.command_help import require_packages
    from memanalysis.cli.terminal import open_console, print_line, show_progress

    form = "json" if is_json else choose_format(form, out, formats=FORMATS, default="text")
    if form == "html":
        require_packages("memanalysis compare --format html", ("matplotlib", "jinja2"))
    target = out or (DEFAULT_OUT if form == "html" else "-")
    with show_progress(f"Comparing {before}") as show:
        from memanalysis.reports.comparison_pages import count_changes
        from memanalysis.verdicts.change_sentences import describe_service_changes
        from memanalysis.verdicts.compare import compare
        from memanalysis.verdicts.sources import resolve_ledger

        ledgers = [resolve_ledger(path, call="compare") for path in (before, after) if path is not None]
        if len(ledgers) == 1 and mark is None and release is None and since_release is None:
            raise InvalidArgumentError(
                f"compare needs a second ledger, --mark, --release or --since-release beside {before}. Name one."
            )
        works_on = make_engine(engine, scheduler, show)
        changes = compare(*ledgers, mark=mark, release=release, since_release=since_release, engine=works_on)
        if changes.empty:
            raise InvalidArgumentError(_explain_nothing([ledger.services for ledger in ledgers]))
        services = sorted({service for ledger in ledgers for service in ledger.services} - set(changes["service"]))
        described = describe_service_changes(changes)
        sides = _name_sides(before, after, mark=mark, release=release, since_release=since_release)
        show(f"Writing what changed in {before}")
        text = _render(form, changes, services, sides=sides)
    if target != "-":
        from memanalysis.reports.written_page import write_page

        write_page(text, target, "memanalysis compare")
        console = open_console()
        print_line(console, count_changes(described))
        print_line(console, f"Comparison: {target}")
    elif form == "text":
        _print_changes(open_console(), changes, services)
    else:
        sys.stdout.write(text)
    return EXIT_WORSE if any(change.verdict == "worse" for change in described) else 0


def _name_sides(
    before: str, after: str | None, *, mark: str | None, release: tuple[str, str] | None, since_release: str | None
) -> tuple[str, str]:
    """Return what stands before and after on a page."""
    if release is not None:
        return f"{before}, {release[0]}", f"{before}, {release[1]}"
    if mark is not None:
        return f"{before}, until {mark}", f"{before}, from {mark} on"
    if since_release is not None:
        return f"{before}, before {since_release}", f"{before}, since {since_release}"
    return before, str(after)


def _render(form: str, changes: "pd.DataFrame", not_compared: list[str], *, sides: tuple[str, str]) -> str:
    """Return what a format has of a comparison."""
    from memanalysis.reports import comparison_pages

    if form == "html":
        from memanalysis.reports.comparison_page import render_comparison_page

        return render_comparison_page(changes, not_compared=not_compared, before=sides[0], after=sides[1])
    if form == "csv":
        from memanalysis.cli.assess_command import render_csv

        return render_csv(changes)
    render = {
        "json": comparison_pages.render_comparison_json,
        "markdown": comparison_pages.render_comparison_markdown,
        "text": comparison_pages.render_comparison_text,
    }
    return render[form](changes, not_compared=not_compared)


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
    from memanalysis.reports.comparison_pages import list_change_lines

    *lines, count = list_change_lines(changes, not_compared=not_compared)
    for line in lines:
        print_paragraph(console, line)
    print_paragraph(console, count, indent=0)
