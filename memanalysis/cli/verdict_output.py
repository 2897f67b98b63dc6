"""A frame of verdicts in a terminal: one table, and under it one sentence a verdict and one a death."""

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from memanalysis.cli.terminal import print_line, print_paragraph, to_text
from memanalysis.cli.terminal_table import Name, Place, make_table, measure_min_width, print_records, print_table
from memanalysis.reports.headline import order_verdicts
from memanalysis.reports.verdict_cells import NOTHING, VerdictCells, render_all_cells

if TYPE_CHECKING:
    import pandas as pd

    from memanalysis.reports.last_deaths import LastDeaths

__all__ = ["print_deaths", "print_verdicts"]

TITLES = ("service\n  responsible line", "shape", "leak,\nseverity", "growth\nper hour", "time to\nbudget")
NUMBERS = TITLES[-2:]

_STYLES = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}
"""Colour of each severity; what is coloured always states the same in words."""


def print_verdicts(console: Console, verdicts: "pd.DataFrame", *, top: int, since: str | None = None) -> None:
    """Print the table and the sentences, the `top` worst, fitted to the console; `since` selected runs."""
    ordered = order_verdicts(verdicts)
    cells = render_all_cells(ordered.head(top))
    if not cells:
        reason = "the ledger has no samples" if since is None else f"no run was recorded since {since}"
        print_line(console, f"No verdicts: {reason}.")
        return
    counts = Counter(ordered["service"])
    records = [_make_record(cell, is_one_of_several=counts[cell.service] > 1) for cell in cells]
    table = make_table(console, TITLES, right=NUMBERS)
    for (_, service), (_, line), *others in records:
        first = Group(service, Place(line.text, indent=2)) if isinstance(line, Place) else service
        table.add_row(first, *(cell for _, cell in others))
    if measure_min_width(console, table) <= console.width:
        print_table(console, table)
    else:
        print_records(console, records)
    print_line(console)
    for cell in cells:
        name = f"{cell.service} (run {cell.run})" if counts[cell.service] > 1 else cell.service
        print_paragraph(console, f"{name}: {cell.sentence}")
    _print_rest(console, ordered.iloc[top:], top=top)


def print_deaths(console: Console, deaths: "LastDeaths", *, ledger: str) -> None:
    """Print how services died, and the command that shows more of it."""
    if not deaths.count:
        return
    print_line(console)
    for sentence in deaths.sentences:
        print_paragraph(console, f"Died: {sentence}")
    more = deaths.count - len(deaths.sentences)
    if more:
        print_paragraph(console, f"{more:,} more {'service' if more == 1 else 'services'} died.")
    print_line(console, f"More on that: memanalysis report {shlex.quote(ledger)}")


def _print_rest(console: Console, rest: "pd.DataFrame", *, top: int) -> None:
    """Print how many verdicts are not shown, and how many of them are leaks."""
    if rest.empty:
        return
    leaks = int(rest["is_leak"].sum())
    print_line(console)
    print_paragraph(
        console,
        f"Not shown: {len(rest):,} more verdicts, {leaks:,} of them leaks. --top {top + len(rest)} shows them.",
    )


def _make_record(cell: VerdictCells, *, is_one_of_several: bool) -> "list[tuple[str, Name | Place | Text]]":
    """Return title and value of each part of a verdict."""
    severity = _STYLES.get(cell.severity, "")
    leak = severity if cell.leak == "yes" else "green" if cell.leak == "no" else "dim"
    has_severity = cell.severity not in {"none", cell.leak}
    return [
        ("service", Name(cell.service + (f"\nrun {cell.run}" if is_one_of_several else ""), style="bold")),
        ("responsible line", Text(NOTHING) if cell.responsible == NOTHING else Place(cell.responsible_path)),
        ("shape", to_text(cell.shape)),
        ("leak", to_text(_two_lines(cell.leak, cell.severity if has_severity else ""), leak)),
        ("growth per hour", to_text(_two_lines(cell.growth, cell.growth_interval))),
        ("time to budget", to_text(_two_lines(cell.time, cell.time_interval))),
    ]


def _two_lines(first: str, second: str) -> str:
    return f"{first}\n{second}" if second else first
