"""``memanalysis convert A B``: a ledger in another shape, or at another place."""

import argparse

from memanalysis.cli.console import describe_command, open_console

__all__ = ["add_parser", "run"]

_EXAMPLE = """\
example:
  memanalysis convert logs/memory_ledger.json logs/ledger
  memanalysis convert logs/ledger samples.parquet
  memanalysis convert logs/ledger s3://bucket/ledgers/api
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``convert`` to the command line."""
    parser = commands.add_parser(
        "convert",
        help="write a ledger in another shape or place",
        **describe_command(
            "Write a ledger in another shape, which follows from the name of the target: a folder (no suffix), a "
            ".parquet file of samples, a .jsonl file of all tables, or a .json array. What the shape has "
            "no place for is left out and told.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("source", metavar="A", help="directory, file or URL of a ledger")
    parser.add_argument("target", metavar="B", help="directory, file or URL to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a ledger that is there already")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert, and say what was written and what was left out."""
    from memanalysis.ledger.convert import convert_ledger

    done = convert_ledger(arguments.source, arguments.target, overwrite=arguments.overwrite)
    console = open_console()
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items() if count) or "no rows"
    console.say_wrapped(f"Wrote {arguments.target}: {rows}.")
    for left_out in done.left_out:
        console.say_wrapped(f"Left out: {left_out}.", indent="  ")
    return 0
