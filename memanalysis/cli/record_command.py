"""``memanalysis record --pid N``: any process is watched from outside, and its children with it."""

import argparse
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from memanalysis.cli.console import describe_command, open_console
from memanalysis.cli.run_command import add_watch_arguments
from memanalysis.errors import InvalidArgumentError

__all__ = ["add_parser", "run"]

_EXAMPLE = """\
example:
  memanalysis record --pid 4711 --children --ledger logs/ledger
  memanalysis assess logs/ledger
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``record`` to the command line."""
    parser = commands.add_parser(
        "record",
        help="watch a running process from outside",
        **describe_command(
            "Record the memory of any process of this machine until it ends, until Ctrl-C or SIGTERM, or for some "
            "seconds. From outside the lines of code cannot be seen. While the disk is full, samples wait in memory.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("--pid", metavar="N", type=int, required=True, help="the process")
    parser.add_argument("--children", action="store_true", help="record its children too, a run each")
    parser.add_argument("--seconds", metavar="N", type=float, default=math.inf, help="how long (default: to its end)")
    add_watch_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record until the process has ended."""
    from memanalysis.watcher.record_process import OutsideRecorder

    if not arguments.interval > 0:
        raise InvalidArgumentError(
            f"memanalysis record needs --interval above 0 seconds, but got {arguments.interval:g}. Pass 1, say."
        )
    ledger = Path(arguments.ledger)
    console = open_console()
    with _ended_by_signals() as is_ended:
        recorder = OutsideRecorder(
            arguments.pid, ledger=ledger, service=arguments.service, children=arguments.children, argv=arguments.argv
        )
        console.say(f"Recording {recorder.service} (pid {arguments.pid}) into {ledger}; Ctrl-C ends it.")
        try:
            until = time.monotonic() + arguments.seconds
            recorder.record(interval_s=arguments.interval, wait=is_ended.wait, until=until)
        except KeyboardInterrupt:
            console.say()
        finally:
            recorder.close()
    processes = "1 process" if recorder.n_processes == 1 else f"{recorder.n_processes} processes"
    console.say(f"Took {recorder.n_samples} samples of {processes}.")
    console.say(f"Verdict: memanalysis assess {ledger}")
    return 0


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
