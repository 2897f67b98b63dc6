"""``memanalysis record --pid N``: any process is watched from outside, and its children with it."""

import argparse
import math
import time
from pathlib import Path

from memanalysis.cli.console import describe_command, open_console
from memanalysis.cli.run import add_watch_arguments
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
            "Record the memory of any process of this machine until it ends, until Ctrl-C, or for some seconds. From "
            "outside the lines of code cannot be told.",
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
    from memanalysis.watcher.outside import OutsideRecorder

    if not arguments.interval > 0:
        raise InvalidArgumentError(
            f"memanalysis record needs --interval above 0 seconds, but got {arguments.interval:g}. Pass 1, say."
        )
    ledger = Path(arguments.ledger)
    recorder = OutsideRecorder(
        arguments.pid, ledger=ledger, service=arguments.service, children=arguments.children, argv=arguments.argv
    )
    console = open_console()
    console.say(f"Recording {recorder.service} (pid {arguments.pid}) into {ledger}; Ctrl-C ends it.")
    try:
        recorder.record(interval_s=arguments.interval, until=time.monotonic() + arguments.seconds)
    except KeyboardInterrupt:
        console.say()
    finally:
        recorder.close()
    processes = "1 process" if recorder.n_processes == 1 else f"{recorder.n_processes} processes"
    console.say(f"Took {recorder.n_samples} samples of {processes}.")
    console.say(f"Verdict: memanalysis assess {ledger}")
    return 0
