"""What does a frame of verdicts look like in a terminal: one table, and under it one sentence a verdict."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from memanalysis.cli.console import Console
from memanalysis.cli.table import Column, render_table
from memanalysis.reports.headline import order_verdicts
from memanalysis.reports.verdict_cells import VerdictCells, render_all_cells

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "say_verdicts"]

COLUMNS = (
    Column("service", narrowest=7),
    Column("shape"),
    Column("leak"),
    Column("severity"),
    Column("growth an hour", narrowest=10, right=True),
    Column("time to budget", narrowest=10, right=True),
    Column("guilty line", narrowest=13),
)

LONGEST_NAME = 48
"""A longer name of a service or file is cut in its middle in the table; the sentences have it whole."""


def say_verdicts(console: Console, verdicts: "pd.DataFrame") -> None:
    """Print the table and the sentences, the worst first, fitted to the console."""
    cells = render_all_cells(order_verdicts(verdicts))
    if not cells:
        console.say("No verdicts: the ledger has no samples.")
        return
    counts = Counter(cell.service for cell in cells)
    several = {service for service, count in counts.items() if count > 1}
    rows = [_row(cell, several) for cell in cells]

    def paint(row: int, column: int, text: str) -> str:
        return console.paint(text, _meaning(cells[row], COLUMNS[column].title))

    rule = "─" if console.unicode else "-"
    console.say(render_table(COLUMNS, rows, width=console.width, rule=rule, paint=paint))
    console.say()
    for cell in cells:
        name = f"{cell.service} (run {cell.run})" if cell.service in several else cell.service
        console.say_wrapped(f"{name}: {cell.sentence}", indent="  ")


def _row(cell: VerdictCells, several: set[str]) -> tuple[str, ...]:
    run = f"\nrun {cell.run}" if cell.service in several else ""
    return (
        _shorten(cell.service) + run,
        cell.shape,
        cell.leak,
        cell.severity,
        _two_lines(cell.growth, cell.growth_interval),
        _two_lines(cell.time, cell.time_interval),
        _shorten(cell.responsible),
    )


def _two_lines(value: str, interval: str) -> str:
    return f"{value}\n{interval}" if interval else value


def _shorten(text: str) -> str:
    half = LONGEST_NAME // 2 - 2
    return text if len(text) <= LONGEST_NAME else f"{text[:half]}...{text[-half:]}"


def _meaning(cell: VerdictCells, title: str) -> str:
    meanings: dict[str, Any] = {
        "service": "bold",
        "severity": cell.severity,
        "leak": cell.severity if cell.leak == "yes" else "good" if cell.leak == "no" else "dim",
    }
    return str(meanings.get(title, ""))
