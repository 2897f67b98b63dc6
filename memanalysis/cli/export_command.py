"""``memanalysis export LEDGER FILE``: what the stacks of a run hold and grew by, for the tools of others."""

import sys
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command

if TYPE_CHECKING:
    from memanalysis.exchange.export import Exported, ExportFormat
    from memanalysis.exchange.sample_values import Shown

__all__ = ["command"]

_EXAMPLES = """\
memanalysis export logs/ledger heap.pb.gz   # go tool pprof heap.pb.gz
memanalysis export logs/ledger heap.html   # a flame graph
memanalysis export logs/ledger heap.speedscope.json
memanalysis export logs/ledger - --to folded --what grew > grew.folded
"""

FORMATS = ("pprof", "otlp", "speedscope", "folded", "flamegraph")


@click.command(
    "export",
    cls=Command,
    help="Write the heap of one run by stack, as its last snapshot of allocation sites has it, and what grew since the "
    "first one. The format follows from the end of the file's name: .pb.gz (pprof), .otlp, .speedscope.json, "
    ".folded, or .html (a flame graph).",
    examples=_EXAMPLES,
    needs=(*ROWS, "jinja2", "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.argument("target", cls=Argument, type=PATH, metavar="FILE", description="File to write, - for standard output.")
@click.option("--to", "form", type=click.Choice(FORMATS), help="Format, where the name of the file does not say it.")
@click.option(
    "--what",
    "shown",
    type=click.Choice(["live", "grew"]),
    default="live",
    help="What folded stacks hold, and what the other formats, which hold both, show first (default: live).",
)
@click.option("--service", metavar="NAME", help="Service, where the ledger has several.")
@click.option("--run", "run_id", metavar="ID", help="Run (default: the one with the latest snapshot).")
def command(
    ledger: str,
    target: str,
    form: "ExportFormat | None",
    shown: "Shown",
    service: str | None,
    run_id: str | None,
) -> int:
    """Export, and print what was written."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    is_file = target != "-"
    with show_progress(f"Reading {ledger}"):
        from memanalysis.exchange.export import export_heap

        done = export_heap(ledger, target if is_file else None, form=form, shown=shown, service=service, run_id=run_id)
    if not is_file:
        sys.stdout.buffer.write(done.content)
        return 0
    print_paragraph(open_console(), f"Wrote {target}: {_describe(done)}")
    return 0


def _describe(done: "Exported") -> str:
    from memanalysis.units import format_bytes

    profile = done.profile
    when = f"{profile.last:%Y-%m-%d %H:%M:%S} UTC"
    text = f"{len(profile.uses):,} stacks of {profile.service} hold {format_bytes(profile.live_bytes)} at {when}"
    if profile.has_growth:
        text += f", {format_bytes(profile.grown_bytes, sign=True)} since {profile.first:%H:%M:%S}"
    if profile.n_unknown:
        text += f". {profile.n_unknown:,} sites are left out, because their size is unknown"
    return f"{text}."
