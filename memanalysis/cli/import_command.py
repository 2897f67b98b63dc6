"""``memanalysis import FILE... LEDGER``: yesterday's measurements of other tools get today's verdict."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option

if TYPE_CHECKING:
    from memanalysis.exchange.import_files import Imported, ImportFormat

__all__ = ["ImportedRows", "command"]

_EXAMPLES = """\
memanalysis import mprofile_20250101120000.dat logs/ledger
memanalysis import answer.json logs/ledger --service-label app
memanalysis import heap.*.pb.gz logs/ledger --service api
"""

FORMATS = ("mprof", "prometheus", "pprof")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRows:
    """What was written into a ledger, and sentences on what was left out."""

    ledger: str
    services: list[str]
    runs: int
    samples: int
    sites: int
    left_out: list[str]


@click.command(
    "import",
    cls=Command,
    help="Write measurements of other tools into a ledger, which assess and report then read: files of mprof, the JSON "
    "of Prometheus range queries, and heap profiles of pprof, each a snapshot of one run. What a file is follows from "
    "its content. A file that is wrong is an error, and then nothing is written.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument(
    "sources", cls=Argument, type=PATH, nargs=-1, required=True, metavar="FILE...", description="Files to read."
)
@click.argument(
    "ledger", cls=Argument, type=PATH, description="Directory of the ledger, which is made where there is none."
)
@click.option("--from", "form", type=click.Choice(FORMATS), help="What the files are, where it does not show.")
@click.option("--service", metavar="NAME", help="Name of the service (default: what the files name).")
@click.option("--service-label", metavar="LABEL", help="Label of Prometheus that names the service.")
@click.option("--memory", "is_memory", is_flag=True, help="Series of other metrics are bytes of memory too.")
@add_json_option
def command(
    sources: tuple[str, ...],
    ledger: str,
    form: "ImportFormat | None",
    service: str | None,
    service_label: str | None,
    is_memory: bool,
    is_json: bool,
) -> int:
    """Import, and print what was written and what was left out."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    with show_progress(f"Writing {ledger}"):
        from memanalysis.exchange.import_files import import_files

        done = import_files(
            sources, ledger, form=form, service=service, service_label=service_label, is_memory=is_memory
        )
    rows = _count_rows(done, ledger)
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(rows)
        return 0
    console = open_console()
    text = f"Wrote {ledger}: {rows.samples:,} samples" + (f" and {rows.sites:,} sites" if rows.sites else "")
    print_paragraph(console, f"{text} of {rows.runs:,} runs of {', '.join(rows.services)}.")
    for left_out in rows.left_out:
        print_paragraph(console, f"Left out: {left_out}.")
    return 0


def _count_rows(done: "Imported", ledger: str) -> ImportedRows:
    return ImportedRows(
        ledger=ledger,
        services=sorted({run.service for run in done.runs}),
        runs=len(done.runs),
        samples=sum(len(run.samples) for run in done.runs),
        sites=sum(len(run.sites) for run in done.runs),
        left_out=done.left_out,
    )
