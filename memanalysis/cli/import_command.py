"""``memanalysis import FILE... LEDGER``: yesterday's measurements of other tools get today's verdict."""

from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command

if TYPE_CHECKING:
    from memanalysis.exchange.import_files import ImportFormat

__all__ = ["command"]

_EXAMPLES = """\
memanalysis import mprofile_20250101120000.dat logs/ledger
memanalysis import answer.json logs/ledger --service-label app
memanalysis import heap.*.pb.gz logs/ledger --service api
"""

FORMATS = ("mprof", "prometheus", "pprof")


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
def command(
    sources: tuple[str, ...],
    ledger: str,
    form: "ImportFormat | None",
    service: str | None,
    service_label: str | None,
    is_memory: bool,
) -> int:
    """Import, and print what was written and what was left out."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    with show_progress(f"Writing {ledger}"):
        from memanalysis.exchange.import_files import import_files

        done = import_files(
            sources, ledger, form=form, service=service, service_label=service_label, is_memory=is_memory
        )
    console = open_console()
    services = sorted({run.service for run in done.runs})
    n_samples, n_sites = sum(len(run.samples) for run in done.runs), sum(len(run.sites) for run in done.runs)
    text = f"Wrote {ledger}: {n_samples:,} samples" + (f" and {n_sites:,} sites" if n_sites else "")
    print_paragraph(console, f"{text} of {len(done.runs):,} runs of {', '.join(services)}.")
    for left_out in done.left_out:
        print_paragraph(console, f"Left out: {left_out}.")
    return 0
