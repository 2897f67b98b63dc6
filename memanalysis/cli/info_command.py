"""``memanalysis info LEDGER``: what a ledger holds, at a glance."""

import argparse
from typing import TYPE_CHECKING

from memanalysis.cli.console import Console, describe_command, open_console, render_plain
from memanalysis.units import format_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from memanalysis.ledger.info import LedgerInfo

__all__ = ["add_parser", "run"]

MOST_SERVICES = 20
MOST_DAMAGE = 10

_EXAMPLE = """\
example:
  memanalysis info logs/ledger
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``info`` to the command line."""
    parser = commands.add_parser(
        "info",
        help="tell what a ledger holds",
        **describe_command(
            "Tell what a ledger holds: its shape and size, services, runs, rows and times of each table, and what had "
            "to be left out because it cannot be read.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("ledger", metavar="LEDGER", help="directory, file or URL of a ledger")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look through the ledger and print what is there."""
    from memanalysis.ledger.info import describe_ledger

    _say(open_console(), describe_ledger(arguments.ledger))
    return 0


def _say(console: Console, info: "LedgerInfo") -> None:
    console.say_wrapped(
        f"{render_plain(info.path)}: {info.shape}, version {info.schema_version}, {format_bytes(info.size)}, "
        f"{info.runs:,} run{'' if info.runs == 1 else 's'} ({info.open_runs:,} without an end: alive, or killed)"
    )
    names = [render_plain(name) for name in info.services[:MOST_SERVICES]]
    more = len(info.services) - len(names)
    console.say_wrapped(f"services: {', '.join(names) or 'none'}" + (f" and {more} more" if more > 0 else ""))
    console.say()
    console.say(f"{'table':8} {'rows':>12} {'sealed':>7} {'live':>5} {'size':>9}  {'first (UTC)':16} last (UTC)")
    for name, table in info.tables.items():
        cells = f"{name:8} {table.rows:>12,} {table.sealed_files:>7,} {table.live_files:>5,}"
        size = format_bytes(table.size) if info.shape == "folder" else "-"
        console.say(f"{cells} {size:>9}  {_minute(table.first):16} {_minute(table.last):16}".rstrip())
    if info.damage:
        console.say()
        console.say(f"left out, in {len({damage.file for damage in info.damage})} files:")
        for damage in info.damage[:MOST_DAMAGE]:
            console.say_wrapped(render_plain(f"  {damage.file}: {damage.describe()}"), indent="    ")
        if len(info.damage) > MOST_DAMAGE:
            console.say(f"  and {len(info.damage) - MOST_DAMAGE:,} more")


def _minute(moment: "datetime | None") -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
