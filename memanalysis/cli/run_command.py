"""``memanalysis run script.py args…``: a program that knows nothing of it is watched, and its children with it."""

import argparse
from pathlib import Path

from memanalysis.cli.console import describe_command
from memanalysis.errors import InvalidArgumentError

__all__ = ["DEFAULT_LEDGER", "add_parser", "add_watch_arguments", "run"]

DEFAULT_LEDGER = "memanalysis-ledger"

_EXAMPLE = """\
example:
  memanalysis run train.py --epochs 3
  memanalysis run --ledger logs/ledger --service api -m uvicorn app:app
  memanalysis assess memanalysis-ledger
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``run`` to the command line."""
    parser = commands.add_parser(
        "run",
        help="watch a Python program that knows nothing of it, and its children",
        usage="memanalysis run [options] (script.py | -m module) [arguments ...]",
        **describe_command(
            "Run a Python program and record its memory, and that of every Python process that it starts, in one "
            "ledger. Its exit code, arguments, signals and output are those of the program.",
            example=_EXAMPLE,
        ),
    )
    add_watch_arguments(parser)
    parser.add_argument("--policy", metavar="FILE", help="policy file with the budgets; without one none apply")
    parser.add_argument(
        "--trace", choices=("auto", "always", "never"), default="auto",
        help="follow allocations once memory grows, all the time, or not at all (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--max-overhead", metavar="SHARE", type=float, default=0.05, help="of one processor, at most (default: 0.05)"
    )
    parser.add_argument("-m", dest="module", action="store_true", help="run a module instead of a script")
    parser.add_argument("program", metavar="PROGRAM", help="script or module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENTS", help="of the program")
    parser.set_defaults(run=run)


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``run`` and ``record`` share."""
    parser.add_argument(
        "--ledger", metavar="DIR", default=DEFAULT_LEDGER, help=f"folder to record into (default: {DEFAULT_LEDGER})"
    )
    parser.add_argument("--service", metavar="NAME", help="name for its rows (default: that of the program)")
    parser.add_argument(
        "--interval", metavar="SECONDS", type=float, default=1.0, help="between two samples (default: 1)"
    )
    parser.add_argument(
        "--argv", choices=("redacted", "full", "none"), default="redacted",
        help="what to keep of the program's arguments: all but secrets, all, or nothing (default: redacted)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Check the options, and become the program."""
    from memanalysis.watcher.run_program import run_program
    from memanalysis.watcher.watch import watch

    program = arguments.program
    if not arguments.module and not Path(program).exists():
        raise InvalidArgumentError(
            f"memanalysis run needs a script or, after -m, a module, but there is no file {program}. Check its path."
        )
    options = {
        "service": arguments.service or (program if arguments.module else Path(program).resolve().stem),
        "ledger": str(Path(arguments.ledger).absolute()),
        "policy": None if arguments.policy is None else str(Path(arguments.policy).absolute()),
        "interval": arguments.interval,
        "trace": arguments.trace,
        "max_overhead": arguments.max_overhead,
        "argv": arguments.argv,
        "check_leaks": False,
    }
    watch(**options)  # wrong options are told here, and not in the program
    return run_program([*(["-m"] if arguments.module else []), program, *arguments.arguments], options)
