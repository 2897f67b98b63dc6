"""``memanalysis export LEDGER FILE``: what the stacks of a run hold and grew by, for the tools of others."""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    from memanalysis.exchange.export import Exported, ExportFormat
    from memanalysis.exchange.sample_values import Shown

__all__ = ["ExportedHeap", "command"]

_EXAMPLES = """\
memanalysis export logs/ledger heap.pb.gz   # go tool pprof heap.pb.gz
memanalysis export logs/ledger heap.html   # a flame graph
memanalysis export logs/ledger heap.speedscope.json
memanalysis export logs/ledger - --to folded --what grew > grew.folded
memanalysis export logs/ledger heap.pb.gz --json | jq .grown_bytes
"""

FORMATS = ("pprof", "otlp", "speedscope", "folded", "flamegraph")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedHeap:
    """What was written; ``grown_bytes`` is None where there is one snapshot, and what grew is unknown."""

    target: str
    format: str
    service: str
    run_id: str
    stacks: int
    live_bytes: int
    grown_bytes: int | None
    first: datetime
    last: datetime
    unknown_sites: int


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
@click.option("--to", "form", type=click.Choice(FORMATS), help="Format, where the name of the file does not show it.")
@click.option(
    "--what",
    "shown",
    type=click.Choice(["live", "grew"]),
    default="live",
    help="What folded stacks hold, and what the other formats, which hold both, show first (default: live).",
)
@click.option("--service", metavar="NAME", help="Service, where the ledger has several.")
@click.option("--run", "run_id", metavar="ID", help="Run (default: the one with the latest snapshot).")
@add_json_option
def command(
    ledger: str,
    target: str,
    form: "ExportFormat | None",
    shown: "Shown",
    service: str | None,
    run_id: str | None,
    is_json: bool,
) -> int:
    """Export, and print what was written."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    is_file = target != "-"
    if is_json and not is_file:
        raise InvalidArgumentError("export --json describes the file that is written, but got - for it. Name a file.")
    with show_progress(f"Reading {ledger}"):
        from memanalysis.exchange.export import export_heap

        done = export_heap(ledger, target if is_file else None, form=form, shown=shown, service=service, run_id=run_id)
    if not is_file:
        sys.stdout.buffer.write(done.content)
        return 0
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(_summarize(done, target))
    else:
        print_paragraph(open_console(), f"Wrote {target}: {_describe(done)}")
    return 0


def _summarize(done: "Exported", target: str) -> ExportedHeap:
    profile = done.profile
    return ExportedHeap(
        target=target,
        format=done.form,
        service=profile.service,
        run_id=profile.run_id,
        stacks=len(profile.uses),
        live_bytes=profile.live_bytes,
        grown_bytes=profile.grown_bytes,
        first=profile.first,
        last=profile.last,
        unknown_sites=profile.n_unknown,
    )


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
