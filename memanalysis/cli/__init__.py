"""What can be asked from a shell: ``memanalysis demo``, ``run``, ``record``, ``assess``, ``report``, ``policy``.

A ledger's own commands are ``info``, ``convert`` and ``compact``.

Every error becomes one line on standard error and exit code 2, one that nobody expected as well: 1 is left to findings.
``--traceback`` shows where such an error arose. A reader that closed the pipe early ends the command quietly.

Each command's own module loads what it needs only when it runs, so that ``--help`` answers at once.
"""

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from memanalysis._version import __version__
from memanalysis.cli import assess_command as assess
from memanalysis.cli import compact_command as compact
from memanalysis.cli import convert_command as convert
from memanalysis.cli import demo_command as demo
from memanalysis.cli import info_command as info
from memanalysis.cli import policy_command as policy
from memanalysis.cli import record_command as record
from memanalysis.cli import report_command as report
from memanalysis.cli import run_command as run
from memanalysis.cli.console import render_plain
from memanalysis.errors import MemAnalysisError

__all__ = ["EXIT_ERROR", "EXIT_INTERRUPTED", "EXIT_PIPE_CLOSED", "build_parser", "main"]

EXIT_ERROR = 2
"""Code for errors, the same as argparse uses for wrong arguments; 1 is a finding, such as a new leak."""

EXIT_INTERRUPTED = 128 + signal.SIGINT
"""Shells report a program that Ctrl-C ended with this code."""

EXIT_PIPE_CLOSED = 141
"""128 + 13 (SIGPIPE): what a shell reports for a program that wrote into a closed pipe."""

MAX_ERROR_TEXT = 500
"""Characters of the message of an unexpected error: some hold all the data that they failed on."""

_EXAMPLE = """\
examples:
  memanalysis demo                          find the one of three that leaks
  memanalysis run app.py --port 80          watch a program and its children
  memanalysis assess logs/ledger            a verdict on every service
  memanalysis report logs/ledger -o r.html  the same with charts, in one file
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 2 for an error that the command line explains, else the command's."""
    _never_fail_on_a_character()
    arguments = build_parser().parse_args(argv)
    arguments.traceback = getattr(arguments, "traceback", False)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except MemAnalysisError as exc:
        _write_error(exc, render_plain(str(exc)), is_shown_whole=arguments.traceback)
        return EXIT_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("\nmemanalysis: stopped\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit and would complain there again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except Exception as exc:  # the boundary of the command line: a crash must not look like a finding
        _write_error(exc, _describe_unexpected(exc), is_shown_whole=arguments.traceback)
        return EXIT_ERROR
    return code


def build_parser() -> argparse.ArgumentParser:
    """Arguments of every command; `run` in the result is the command's function."""
    parser = argparse.ArgumentParser(
        prog="memanalysis",
        description="Is it a leak, which line, and how long have I got: verdicts on recorded memory.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"memanalysis {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, run, record, assess, report, policy, info, convert, compact):
        command.add_parser(commands)
    for place in (parser, *commands.choices.values()):  # before and after the command
        place.add_argument(
            "--traceback", action="store_true", default=argparse.SUPPRESS, help="show where an error arose"
        )
    return parser


def _write_error(exc: Exception, text: str, *, is_shown_whole: bool) -> None:
    if is_shown_whole:
        sys.stderr.write(render_plain("".join(traceback.format_exception(exc))))
    sys.stderr.write(f"memanalysis: error: {text}\n")


def _describe_unexpected(exc: Exception) -> str:
    """One line on an error that nobody expected: what, where, and how to see more."""
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = render_plain(" ".join(str(exc).split()))[:MAX_ERROR_TEXT]
    return (
        f"unexpected {type(exc).__name__}{place}: {text or 'no message'}. "
        "This is a fault of memanalysis. Run the command again with --traceback, and report what it shows."
    )


def _never_fail_on_a_character() -> None:
    """Write what the terminal's encoding does not know as an escape: a name must not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
