"""The command line: ``memanalysis demo``, ``run``, ``record``, ``assess``, ``report``, ``policy`` and the rest.

Every error becomes one or two lines on standard error and exit code 2, an unexpected one as well: 1 is left to
findings. ``--traceback`` shows where such an error arose. A reader that closes the pipe early ends the command quietly.

A command's module is imported when the command is used, and it imports what it needs when it runs. So ``--help``
answers at once, and ``memanalysis run`` needs neither pandas nor rich.
"""

import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from memanalysis._text import make_printable
from memanalysis._version import __version__
from memanalysis.cli.command_group import CommandGroup, describe_usage_error
from memanalysis.cli.command_help import TRACEBACK
from memanalysis.cli.completion_command import COMPLETION_VARIABLE
from memanalysis.errors import MemAnalysisError

__all__ = ["EXIT_ERROR", "EXIT_INTERRUPTED", "EXIT_PIPE_CLOSED", "commands", "main"]

EXIT_ERROR = 2
"""Code for errors, wrong arguments among them; 1 is a finding, such as a new leak."""

EXIT_INTERRUPTED = 128 + signal.SIGINT
"""Shells report a program that Ctrl-C ended with this code."""

EXIT_PIPE_CLOSED = 141
"""128 + 13 (SIGPIPE): what a shell reports for a program that wrote into a closed pipe."""

MAX_ERROR_TEXT = 500
"""Characters of the message of an unexpected error: some hold all the data that they failed on."""

PROGRAM = "memanalysis"

_EXAMPLES = """\
memanalysis demo                          find the one of three that leaks
memanalysis run app.py --port 80          record app.py, which gets --port
memanalysis assess logs/ledger            print a verdict on every service
memanalysis report logs/ledger -o r.html  write the same with charts
"""

_EXIT_CODES = """\
0    success
1    a finding: a reason not to pass (check), something that became worse
     (compare), a leak (test, sweep), a measurement that fails
     (doctor), or a program that failed (demo)
2    an error: wrong arguments, or a file that cannot be read or written
130  stopped by Ctrl-C
141  the reader of the output closed the pipe
run exits with the code of its program.
"""

commands = CommandGroup(
    PROGRAM,
    help="Record the memory of Python programs, and find out which of them leak, on which line, and how fast.",
    examples=_EXAMPLES,
    notes={"Exit codes": _EXIT_CODES},
    modules={
        "demo": ("memanalysis.cli.demo_command:command", "Run three small programs and find the one that leaks."),
        "run": ("memanalysis.cli.run_command:command", "Start a Python program and record it and its children."),
        "record": ("memanalysis.cli.record_command:command", "Record a process that runs already, from outside."),
        "import": ("memanalysis.cli.import_command:command", "Import mprof, Prometheus or pprof data into a ledger."),
        "assess": ("memanalysis.cli.assess_command:command", "Print a verdict on every service of a ledger."),
        "check": ("memanalysis.cli.check_command:command", "Fail on a leak, an exceeded budget or a regression."),
        "compare": ("memanalysis.cli.compare_command:command", "Show what became worse or better, and where."),
        "test": ("memanalysis.cli.leak_test_command:command", "Find out whether a call leaks, by repeating it."),
        "sweep": ("memanalysis.cli.sweep_command:command", "Find the release of a package that began to leak."),
        "pivot": ("memanalysis.cli.pivot_command:command", "Find a host, release or label that leaks share."),
        "report": ("memanalysis.cli.report_command:command", "Write a report with charts on a ledger."),
        "trend": ("memanalysis.cli.trend_command:command", "Show what changed in the last weeks, on one page."),
        "dashboard": ("memanalysis.cli.dashboard_command:command", "Explore a ledger in a browser, with Voilà."),
        "export": ("memanalysis.cli.export_command:command", "Write the heap of a run for other tools."),
        "mcp": ("memanalysis.cli.mcp_command:command", "Let an assistant query ledgers (Model Context Protocol)."),
        "info": ("memanalysis.cli.info_command:command", "Show what a ledger holds."),
        "compact": ("memanalysis.cli.compact_command:command", "Turn rows into Parquet, merge files, apply retention."),
        "convert": ("memanalysis.cli.convert_command:command", "Write a ledger in another format or place."),
        "policy": ("memanalysis.cli.policy_command:command", "Check, show and describe policy files."),
        "doctor": ("memanalysis.cli.doctor_command:command", "Show and test what can be measured here."),
        "schema": ("memanalysis.cli.schema_command:command", "Print the JSON Schema of what --json prints."),
        "completion": ("memanalysis.cli.completion_command:command", "Print the shell's completion script."),
    },
    sections={
        "Commands that record": ("demo", "run", "record", "import"),
        "Commands that judge": ("assess", "check", "compare", "test", "sweep", "pivot"),
        "Commands that show": ("report", "trend", "dashboard", "export", "mcp"),
        "Commands for ledgers, policies and this machine": (
            "info",
            "compact",
            "convert",
            "policy",
            "doctor",
            "schema",
            "completion",
        ),
    },
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=lambda ctx, param, value: _show_version(ctx) if value else None,
            help="Show the version and exit.",
        )
    ],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 2 for an error that the command line explains, else the command's."""
    _never_fail_on_a_character()
    meta: dict[str, object] = {}
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv), meta)
        sys.stdout.flush()
    except click.ClickException as exc:
        _write_error(exc, describe_usage_error(exc), is_shown_whole=False)
        return EXIT_ERROR
    except MemAnalysisError as exc:
        _write_error(exc, str(exc), is_shown_whole=TRACEBACK in meta)
        return EXIT_ERROR
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\nmemanalysis: stopped\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit and would complain there again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except Exception as exc:  # the boundary of the command line: a crash must not look like a finding
        _write_error(exc, _describe_unexpected(exc), is_shown_whole=TRACEBACK in meta)
        return EXIT_ERROR
    return code


def _dispatch(arguments: list[str], meta: dict[str, object]) -> int:
    """Complete a command line for the shell, or run it; Click's own ``main`` would exit with 1 on a closed pipe."""
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(commands, {}, PROGRAM, COMPLETION_VARIABLE, instruction)
    try:
        with commands.make_context(PROGRAM, arguments) as ctx:
            ctx.call_on_close(lambda: meta.update(ctx.meta))
            return int(commands.invoke(ctx))
    except click.exceptions.Exit as exc:  # --help and --version
        return exc.exit_code


def _show_version(ctx: click.Context) -> None:
    sys.stdout.write(f"{PROGRAM} {__version__}\n")
    ctx.exit()


def _write_error(exc: Exception, text: str, *, is_shown_whole: bool) -> None:
    if is_shown_whole:
        sys.stderr.write(_render_lines("".join(traceback.format_exception(exc))))
    sys.stderr.write(f"memanalysis: error: {_render_lines(text)}\n")


def _describe_unexpected(exc: Exception) -> str:
    """One line on an error that nobody expected: what, where, and how to see more."""
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(exc).split())[:MAX_ERROR_TEXT]
    return (
        f"unexpected {type(exc).__name__}{place}: {text or 'no message'}. "
        "This is a fault of memanalysis. Run the command again with --traceback, and report what it shows."
    )


def _render_lines(text: str) -> str:
    return "\n".join(map(make_printable, text.split("\n")))


def _never_fail_on_a_character() -> None:
    """Write what the terminal's encoding does not know as an escape: a name must not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
