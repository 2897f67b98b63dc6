"""``memanalysis convert A B``: a ledger in another format, or at another place."""

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option

__all__ = ["command"]

_EXAMPLES = """\
memanalysis convert logs/memory_ledger.json logs/ledger
memanalysis convert logs/ledger samples.parquet
memanalysis convert logs/ledger s3://bucket/ledgers/api
"""


@click.command(
    "convert",
    cls=Command,
    help="Write a ledger in another format, which follows from the name of the target: a folder (no suffix), a "
    ".parquet file of samples, a .jsonl file of all tables, or a .json array. What the format cannot hold is left out "
    "and listed.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("source", cls=Argument, type=PATH, metavar="A", description="Directory, file or URL of a ledger.")
@click.argument("target", cls=Argument, type=PATH, metavar="B", description="Directory, file or URL to write.")
@click.option("--overwrite", is_flag=True, help="Replace a ledger that exists.")
@add_json_option
def command(source: str, target: str, overwrite: bool, is_json: bool) -> int:
    """Convert, and print what was written and what was left out."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    with show_progress(f"Writing {target}"):
        from memanalysis.ledger.convert import convert_ledger

        done = convert_ledger(source, target, overwrite=overwrite)
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(done)
        return 0
    console = open_console()
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items() if count) or "no rows"
    print_paragraph(console, f"Wrote {target}: {rows}.")
    for left_out in done.left_out:
        print_paragraph(console, f"Left out: {left_out}.")
    return 0
