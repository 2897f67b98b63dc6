"""``memanalysis info LEDGER``: what a ledger holds, at a glance."""

from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.units import format_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from memanalysis.ledger.info import LedgerInfo

__all__ = ["command"]

MAX_SERVICES = 20
MAX_DAMAGE = 10
"""Services and records of damage that are listed; the others are counted."""

TITLES = ("table", "rows", "sealed", "live", "size", "first (UTC)", "last (UTC)")
NUMBERS = TITLES[1:5]


@click.command(
    "info",
    cls=Command,
    help="Show what a ledger holds: its format and size, services, runs, rows and times of each table, and what had "
    "to be left out because it cannot be read.",
    examples="memanalysis info logs/ledger",
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@add_json_option
def command(ledger: str, is_json: bool) -> int:
    """Read through the ledger and print what it holds."""
    from memanalysis.cli.terminal import open_console, show_progress

    with show_progress(f"Reading {ledger}"):
        from memanalysis.ledger.info import describe_ledger

        info = describe_ledger(ledger)
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(info)
        return 0
    _print_info(open_console(), info)
    return 0


def _print_info(console: "Console", info: "LedgerInfo") -> None:
    from memanalysis.cli.terminal import print_line, print_paragraph
    from memanalysis.cli.terminal_table import make_table, print_table

    print_paragraph(
        console,
        f"{info.path}: {info.shape}, version {info.schema_version}, {format_bytes(info.size)}, "
        f"{info.runs:,} run{'' if info.runs == 1 else 's'} ({info.open_runs:,} without an end: alive, or killed)",
    )
    names = info.services[:MAX_SERVICES]
    more = len(info.services) - len(names)
    print_paragraph(console, f"services: {', '.join(names) or 'none'}" + (f" and {more} more" if more > 0 else ""))
    print_line(console)
    table = make_table(console, TITLES, right=NUMBERS)
    for name, held in info.tables.items():
        counts = (f"{count:,}" for count in (held.rows, held.sealed_files, held.live_files))
        size = format_bytes(held.size) if info.shape == "folder" else "-"
        table.add_row(name, *counts, size, _minute(held.first), _minute(held.last))
    print_table(console, table)
    if info.damage:
        print_line(console)
        print_line(console, f"left out, in {len({damage.file for damage in info.damage})} files:")
        for damage in info.damage[:MAX_DAMAGE]:
            print_paragraph(console, f"  {damage.file}: {damage.describe()}", indent=4)
        if len(info.damage) > MAX_DAMAGE:
            print_line(console, f"  and {len(info.damage) - MAX_DAMAGE:,} more")


def _minute(moment: "datetime | None") -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
