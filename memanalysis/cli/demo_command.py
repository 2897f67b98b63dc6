"""``memanalysis demo``: three small programs run, one of them leaks, and the ledger shows which and on what line."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memanalysis.cli.command_help import PATH, ROWS, Command, add_json_option
from memanalysis.errors import CaptureError, InvalidArgumentError
from memanalysis.examples import SCENARIOS
from memanalysis.ledger.paths import PARTITION_PREFIX, slug_of_service

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DEFAULT_OUT", "DEFAULT_SECONDS", "command"]

DEFAULT_OUT = "memanalysis-demo"

DEFAULT_SECONDS = 20.0
"""Long enough for the cache to fill and for a leak to be distinguished from a warm-up."""

MIN_SECONDS = 2.0
"""Below this the programs would end before they had taken three samples."""

GRACE_S = 60.0
"""A program gets this long beyond its time, for its start and for sealing the ledger on a busy machine."""

MARKER = ".memanalysis-demo"
"""This file in the directory shows that a demo wrote the ledger beside it, and so may replace it."""

POLICY = Path(__file__).parents[1] / "examples" / "demo_policy.yaml"
"""Budgets of the three programs."""

EXIT_PROGRAM_FAILED = 1

_EXAMPLES = """\
memanalysis demo
memanalysis demo --out /tmp/demo --scenario leaky_service --seconds 30
memanalysis demo --json
"""


def _read_seconds(ctx: click.Context, param: click.Parameter, text: str) -> float:
    """Return the seconds, where they are enough for a demo."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not MIN_SECONDS <= seconds < float("inf"):
        raise click.BadParameter(f"needs seconds, {MIN_SECONDS:g} or more, but got {text!r}.", ctx, param)
    return seconds


class _DemoCommand(Command):
    """The demo, whose help lists the programs too."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the programs and the examples."""
        with formatter.section("Scenarios"):
            formatter.write_dl([(name, scenario.title) for name, scenario in SCENARIOS.items()])
        super().format_epilog(ctx, formatter)


@click.command(
    "demo",
    cls=_DemoCommand,
    help="Run three small programs at once, record their memory in one ledger, and show which of them leaks and on "
    "what line.",
    examples=_EXAMPLES,
    needs=(*ROWS, "matplotlib", "jinja2", "rich"),
)
@click.option(
    "--out",
    type=PATH,
    metavar="DIR",
    default=DEFAULT_OUT,
    help=f"Folder for ledger and report (default: {DEFAULT_OUT}).",
)
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice(tuple(SCENARIOS)),
    metavar="NAME",
    multiple=True,
    help="Run only this program; may be repeated (default: all).",
)
@click.option(
    "--seconds",
    callback=_read_seconds,
    metavar="N",
    default=f"{DEFAULT_SECONDS:g}",
    help=f"Time that they run for (default: {DEFAULT_SECONDS:g}).",
)
@add_json_option
def command(out: str, scenarios: tuple[str, ...], seconds: float, is_json: bool) -> int:
    """Run the programs, assess what they recorded, and write the report."""
    from memanalysis.cli.terminal import open_console

    console = None if is_json else open_console()
    names = tuple(dict.fromkeys(scenarios)) or tuple(SCENARIOS)
    ledger = _prepare_ledger(Path(out))
    try:
        _record(console, names, ledger, seconds)
    except CaptureError as exc:
        from memanalysis.cli.terminal import to_text

        sys.stderr.write(f"memanalysis demo: {to_text(str(exc)).plain}\n")
        return EXIT_PROGRAM_FAILED
    _show(console, ledger, Path(out) / "report.html")
    return 0


def _prepare_ledger(out: Path) -> Path:
    """Directory for the ledger, empty: one that an earlier demo wrote is replaced, any other is left alone."""
    ledger, marker = out / "ledger", out / MARKER
    try:
        if ledger.exists() and any(ledger.iterdir()):
            slugs = {path.name.removeprefix(PARTITION_PREFIX) for path in ledger.rglob(f"{PARTITION_PREFIX}*")}
            if not marker.exists() or not slugs <= {slug_of_service(name) for name in SCENARIOS}:
                raise InvalidArgumentError(
                    f"memanalysis demo needs a directory of its own, but {ledger} holds a ledger that no demo wrote. "
                    "Pass another directory with --out."
                )
            shutil.rmtree(ledger)
        ledger.mkdir(parents=True, exist_ok=True)
        marker.write_text("memanalysis demo wrote the ledger beside this file, and replaces it when run again.\n")
    except OSError as exc:
        raise InvalidArgumentError(
            f"memanalysis demo needs a directory it can write, but {ledger} cannot be: {exc.strerror}. "
            "Pass another directory with --out."
        ) from exc
    return ledger


def _record(console: "Console | None", names: Sequence[str], ledger: Path, seconds: float) -> None:
    """Run the programs side by side and show how far they are."""
    from memanalysis.cli.demo_progress import DemoProgress
    from memanalysis.cli.programs import follow_programs, run_programs
    from memanalysis.cli.terminal import print_line
    from memanalysis.policy.loader import read_policy
    from memanalysis.units import bytes_from_mb

    common = ("--seconds", f"{seconds:g}", "--ledger", str(ledger.resolve()), "--policy", str(POLICY))
    commands = {name: ("-m", SCENARIOS[name].module, *common) for name in names}
    policy = read_policy(POLICY)
    budget_bytes = {name: bytes_from_mb(policy.budget_for(name).max_memory_mb) for name in names}
    programs_text = "program" if len(names) == 1 else "programs"
    if console is not None:
        print_line(console, f"Recording {len(names)} {programs_text} for {seconds:g} s: {', '.join(names)}")
    with (
        tempfile.TemporaryDirectory(prefix="memanalysis-demo-") as logs,
        run_programs(commands, log_directory=Path(logs)) as programs,
        DemoProgress(programs, seconds, budget_bytes) as progress,
    ):
        follow_programs(programs, seconds=seconds, grace_s=GRACE_S, tick=progress.tick)


def _show(console: "Console | None", path: Path, report_path: Path) -> None:
    """Read the ledger back, print the verdicts, as JSON where there is no console, and write the report."""
    from memanalysis.cli.terminal import print_line, print_paragraph, show_progress
    from memanalysis.cli.verdict_output import print_verdicts

    with show_progress(f"Assessing {path}") as show:
        from memanalysis.ledger.reading.ledger import open_ledger
        from memanalysis.reports.make_report import report

        ledger = open_ledger(path)
        counts = {name: len(getattr(ledger, name)) for name in ("runs", "samples", "sites", "objects", "events")}
        made = report(ledger, policy=POLICY)
        show(f"Drawing {report_path}")
        made.to_html(report_path)
    if console is None:
        from memanalysis.reports.json_report import dump_json, json_records

        found = {"ledger": str(path), "report": str(report_path), "rows": counts}
        sys.stdout.write(dump_json({**found, "verdicts": json_records(made.verdicts)}))
        return
    rows = ", ".join(f"{name} {count}" for name, count in counts.items())
    print_paragraph(console, f"Read {path} into DataFrames. Rows: {rows}.")
    print_line(console)
    print_verdicts(console, made.verdicts, top=len(made.verdicts))
    print_line(console)
    print_line(console, f"Report    {report_path}  (open it in a browser)")
    print_line(console, f"Ledger    {path}")
    print_line(console, f"Again     memanalysis assess {path}")
    print_line(console, f'Notebook  import memanalysis; memanalysis.explore("{path}")')
