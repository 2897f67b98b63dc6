"""``memanalysis demo``: three small programs run, one of them leaks, and the ledger tells which and on what line."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memanalysis.cli.console import Console, describe_command, open_console, render_plain
from memanalysis.errors import CaptureError, InvalidArgumentError
from memanalysis.examples import SCENARIOS
from memanalysis.ledger.paths import PARTITION_PREFIX, slug_of_service
from memanalysis.units import MIB

if TYPE_CHECKING:
    from memanalysis.cli.programs import Program

__all__ = ["DEFAULT_OUT", "DEFAULT_SECONDS", "add_parser", "run"]

DEFAULT_OUT = "memanalysis-demo"

DEFAULT_SECONDS = 20.0
"""Long enough for the cache to fill and for a leak to be told from a warm-up."""

SHORTEST_SECONDS = 2.0
"""Below this the programs would end before they had taken three samples."""

GRACE_S = 60.0
"""A program gets this long beyond its time, for its start and for sealing the ledger on a busy machine."""

PLAIN_EVERY_S = 5.0
"""Where no line can be drawn over, a line is written this often."""

MARKER = ".memanalysis-demo"
"""This file in the directory says that a demo wrote the ledger beside it, and so may replace it."""

POLICY = Path(__file__).parents[1] / "examples" / "demo_policy.yaml"
"""Budgets of the three programs."""

EXIT_PROGRAM_FAILED = 1

BAR = (6, 24)
"""Shortest and longest bar."""

_EXAMPLE = """\
example:
  memanalysis demo
  memanalysis demo --out /tmp/demo --scenario leaky_service --seconds 30
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``demo`` to the command line."""
    scenarios = "\n".join(f"  {name:<15} {scenario.title}" for name, scenario in SCENARIOS.items())
    parser = commands.add_parser(
        "demo",
        help="watch three small programs and find the one that leaks",
        **describe_command(
            "Run three small programs at once, record their memory in one ledger, and say which of them leaks and on "
            "what line.",
            example=f"scenarios:\n{scenarios}\n\n{_EXAMPLE}",
        ),
    )
    parser.add_argument(
        "--out", metavar="DIR", default=DEFAULT_OUT, help=f"directory for ledger and report (default: {DEFAULT_OUT})"
    )
    parser.add_argument(
        "--scenario", metavar="NAME", nargs="+", choices=tuple(SCENARIOS), default=tuple(SCENARIOS),
        help="only these programs (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", metavar="N", type=_parse_seconds, default=DEFAULT_SECONDS,
        help=f"how long they run (default: {DEFAULT_SECONDS:g})",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the programs, assess what they recorded, and write the report."""
    console = open_console()
    names = tuple(dict.fromkeys(arguments.scenario))
    out = Path(arguments.out)
    ledger = _prepare_ledger(out)
    try:
        _record(console, names, ledger, arguments.seconds)
    except CaptureError as exc:
        sys.stderr.write(f"memanalysis demo: {render_plain(str(exc))}\n")
        return EXIT_PROGRAM_FAILED
    return _show(console, ledger, out / "report.html")


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not SHORTEST_SECONDS <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"needs seconds, {SHORTEST_SECONDS:g} or more, but got {text!r}")
    return seconds


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


def _record(console: Console, names: Sequence[str], ledger: Path, seconds: float) -> None:
    """Run the programs side by side and show how far they are."""
    from memanalysis.cli.programs import follow_programs, run_programs

    common = ("--seconds", f"{seconds:g}", "--ledger", str(ledger.resolve()), "--policy", str(POLICY))
    commands = {name: ("-m", SCENARIOS[name].module, *common) for name in names}
    console.say(
        f"Watching {len(names)} {'program' if len(names) == 1 else 'programs'} for {seconds:g} s: {', '.join(names)}"
    )
    with (
        tempfile.TemporaryDirectory(prefix="memanalysis-demo-") as logs,
        run_programs(commands, log_directory=Path(logs)) as programs,
    ):
        progress = _Progress(console, programs, seconds)
        try:
            follow_programs(programs, seconds=seconds, grace_s=GRACE_S, tick=progress.tick)
        finally:
            progress.clear()


class _Progress:
    """A bar with what each program uses now: drawn over where that works, else a line every few seconds."""

    def __init__(self, console: Console, programs: "Sequence[Program]", seconds: float) -> None:
        self._console = console
        self._programs = programs
        self._seconds = seconds
        self._next_plain_s = PLAIN_EVERY_S

    def tick(self, elapsed_s: float) -> None:
        """Show how far the programs are."""
        if self._console.live:
            self._console.redraw(self._line(elapsed_s))
        elif elapsed_s >= self._next_plain_s:
            self._next_plain_s += PLAIN_EVERY_S
            self._console.say(self._line(elapsed_s))

    def clear(self) -> None:
        """Leave nothing of the bar behind."""
        if self._console.live:
            self._console.redraw("")

    def _line(self, elapsed_s: float) -> str:
        time = f"{min(elapsed_s, self._seconds):3.0f} of {self._seconds:g} s"
        if elapsed_s > self._seconds:
            return f"{self._bar(elapsed_s, BAR[1]) if self._console.live else time}  sealing the ledger"
        sizes = [(program.name, _short_size(program.read_rss_bytes())) for program in self._programs]
        with_names = "  ".join(f"{name} {size}" for name, size in sizes)
        if not self._console.live:
            return f"{time}  {with_names}"
        room = self._console.width - 1 - len(time) - 3
        text = next(
            (text for text in (with_names, "  ".join(size for _, size in sizes)) if len(text) <= room - BAR[0]), ""
        )
        return f"{self._bar(elapsed_s, min(BAR[1], room - len(text)))} {time}  {text}".rstrip()

    def _bar(self, elapsed_s: float, width: int) -> str:
        filled = round(width * min(1.0, elapsed_s / self._seconds))
        full, empty = ("━", "─") if self._console.unicode else ("#", ".")
        return self._console.paint(full * filled, "good") + self._console.paint(empty * (width - filled), "dim")


def _short_size(size_bytes: int | None) -> str:
    return "ended" if not size_bytes else f"{size_bytes / MIB:.0f} MiB"


def _show(console: Console, path: Path, report_path: Path) -> int:
    """Read the ledger back, print the verdicts and write the report."""
    from memanalysis.cli.verdict_output import say_verdicts
    from memanalysis.ledger.reading.ledger import open_ledger
    from memanalysis.reports.make_report import report

    ledger = open_ledger(path)
    rows = ", ".join(
        f"{name} {len(getattr(ledger, name))}" for name in ("runs", "samples", "sites", "objects", "events")
    )
    console.say_wrapped(f"Read {path} into DataFrames. Rows: {rows}.")
    console.say()
    made = report(ledger, policy=POLICY)
    say_verdicts(console, made.verdicts)
    made.to_html(report_path)
    console.say()
    console.say(f"Report    {report_path}  (open it in a browser)")
    console.say(f"Ledger    {path}")
    console.say(f"Again     memanalysis assess {path}")
    console.say(f'Notebook  import memanalysis; memanalysis.explore("{path}")')
    return 0
