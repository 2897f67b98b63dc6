"""How is a program watched that knows nothing of it? Python itself starts the recorder, in it and in its children.

What is asked for stands in an environment variable, and a ``sitecustomize`` of ours on ``PYTHONPATH``: so children
that start as new programs (``spawn``, ``subprocess``) join, if they are of this Python; `joining` runs in them. The
program takes the place of the command that started it, so its exit code, arguments, signals and output are its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from memanalysis.watcher.run_request import RUN_VARIABLE, encode_request

__all__ = ["make_environment", "run_program", "run_supervised"]

BOOT_FOLDER = str(Path(__file__).parent / "boot")


def run_program(arguments: Sequence[str], options: Mapping[str, Any]) -> int:
    """Become the program, watched; returns, with its exit code, only where the system cannot replace a process.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``python`` on a command line: a script or ``-m`` and a module, and their arguments.
    options : mapping
        Arguments of ``watch``, and ``service``.
    """
    command = [sys.executable, *_interpreter_flags(), *arguments]
    environment = make_environment(options, os.environ)
    if sys.platform != "win32":  # exec there starts another process and ends this one at once
        _become(command, environment)
    started_at = time.time()
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603  the program that was asked for
        status = process.wait()
    _note_end(process.pid, status, started_at, options=options)
    return status


def run_supervised(arguments: Sequence[str], options: Mapping[str, Any]) -> int:
    """Run the program, watched, and again each time that it leaves to be restarted; returns its exit code.

    Parameters
    ----------
    arguments : sequence of str
        As of `run_program`.
    options : mapping
        As of `run_program`.
    """
    from memanalysis.watcher.supervise import judge_run, supervise_program

    command = [sys.executable, *_interpreter_flags(), *arguments]
    judge = partial(judge_run, ledger=options["ledger"], service=options["service"], policy=options["policy"])
    return supervise_program(
        lambda environment: (command, make_environment(options, environment)),
        judge=judge,
        note_end=partial(_note_end, options=options),
    )


def make_environment(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Environment in which every process of this Python watches itself."""
    paths = [BOOT_FOLDER, *filter(None, [environment.get("PYTHONPATH")])]
    request = encode_request(os.getpid(), float(options.get("interval", 1.0)), json.dumps(dict(options)))
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), RUN_VARIABLE: request}


def _note_end(pid: int, status: int, started_at: float, *, options: Mapping[str, Any]) -> None:
    """Note in the run of a process that has ended what its parent alone is given: its exit status.

    A program that a signal ended could not show the next step, so that is done here. After Ctrl-C Python has shown it.
    """
    from memanalysis.ledger.maintenance.note_ends import EndedChild, note_ends  # needed here only

    if status < 0 and -status != signal.SIGINT:
        from memanalysis.watcher.joining import show_next_step

        show_next_step(str(options["ledger"]))
    child = EndedChild(pid=pid, exit_status=status, started_at=started_at)
    note_ends(Path(options["ledger"]), service=str(options["service"]), child=child)


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environment)  # noqa: S606  the program that was asked for


def _interpreter_flags() -> list[str]:
    """Flags that this Python was started with, such as ``-X dev`` or ``-W error``."""
    return list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
