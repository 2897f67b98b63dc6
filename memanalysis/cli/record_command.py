"""``memanalysis record --pid N``: record any process from outside, and its children."""

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from memanalysis._text import make_printable
from memanalysis.cli.command_help import Command, add_json_option
from memanalysis.cli.run_command import add_watch_options
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    from memanalysis.watcher.redaction import ArgvMode

__all__ = ["Recorded", "command"]

_EXAMPLES = """\
memanalysis record --pid 4711 --children --ledger logs/ledger
memanalysis assess logs/ledger
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was recorded from outside."""

    ledger: str
    service: str
    pid: int
    samples: int
    processes: int


@click.command(
    "record",
    cls=Command,
    help="Record the memory of any process of this machine until it ends, until Ctrl-C or SIGTERM, or for some "
    "seconds. From outside the lines of code cannot be seen. While the disk is full, samples wait in memory.",
    examples=_EXAMPLES,
)
@click.option("--pid", type=int, metavar="N", required=True, help="Process to record.")
@click.option("--children", is_flag=True, help="Record its children too, a run each.")
@click.option("--seconds", type=float, metavar="N", default=math.inf, help="Time to record (default: to its end).")
@add_watch_options
@add_json_option
def command(
    pid: int,
    children: bool,
    seconds: float,
    ledger: str,
    service: str | None,
    interval: float,
    argv: "ArgvMode",
    is_json: bool,
) -> int:
    """Record until the process has ended."""
    from memanalysis.watcher.record_process import OutsideRecorder

    if not interval > 0:
        raise InvalidArgumentError(
            f"memanalysis record needs --interval above 0 seconds, but got {interval:g}. Pass 1, for example."
        )
    with _ended_by_signals() as is_ended:
        recorder = OutsideRecorder(pid, ledger=Path(ledger), service=service, children=children, argv=argv)
        show = _print if not is_json else _ignore
        show(f"Recording {recorder.service} (pid {pid}) into {ledger}; Ctrl-C ends it.")
        try:
            until = time.monotonic() + seconds
            recorder.record(interval_s=interval, wait=is_ended.wait, until=until)
        except KeyboardInterrupt:
            show("")
        finally:
            recorder.close()
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(
            Recorded(
                ledger=ledger,
                service=recorder.service,
                pid=pid,
                samples=recorder.n_samples,
                processes=recorder.n_processes,
            )
        )
        return 0
    processes = "1 process" if recorder.n_processes == 1 else f"{recorder.n_processes} processes"
    _print(f"Took {recorder.n_samples} samples of {processes}.")
    _print(f"Verdict: memanalysis assess {ledger}")
    return 0


def _ignore(text: str) -> None:
    """Standard output is for JSON alone."""


def _print(text: str) -> None:
    """Print a line at once, without rich, which the recorder alone does not need."""
    sys.stdout.write(f"{make_printable(text)}\n")
    sys.stdout.flush()


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Set an event where a service manager or a closed terminal asks to end, so that the run gets its end."""
    is_ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        is_ended.set()

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # ignored under nohup, which stays
            before[number] = signal.signal(number, end)
    try:
        yield is_ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
