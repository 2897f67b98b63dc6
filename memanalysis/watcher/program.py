"""How is a program watched that knows nothing of it? Python itself starts the recorder, in it and in its children.

What is asked for stands in an environment variable, and a ``sitecustomize`` of ours on ``PYTHONPATH``: so children
that are started anew (``spawn``, ``subprocess``) join, if they are of this Python. Forked children join by a hook. The
program takes the place of the command that started it, so its exit code, arguments, signals and output are its own.
"""

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from memanalysis.capture.forking import is_forking

if TYPE_CHECKING:
    from memanalysis.watcher.recorder import Recorder

__all__ = ["RUN_VARIABLE", "join_ledger", "make_environment", "run_program"]

RUN_VARIABLE = "MEMANALYSIS_RUN"
"""Holds the arguments of ``watch`` as JSON."""

BOOT_FOLDER = str(Path(__file__).parent / "boot")

_HELPERS = ("multiprocessing.resource_tracker",)
"""Processes of Python's own that do nothing worth watching."""

_LOGGER = logging.getLogger("memanalysis")

_recorder: "Recorder | None" = None


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
    return subprocess.call(command, env=environment)  # noqa: S603  the program that was asked for


def make_environment(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Environment in which every process of this Python watches itself."""
    paths = [BOOT_FOLDER, *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), RUN_VARIABLE: json.dumps(dict(options))}


def join_ledger() -> None:
    """Start to watch this process as the environment says; raises nothing."""
    try:
        options = json.loads(os.environ[RUN_VARIABLE])
        if any(helper in argument for argument in sys.orig_argv for helper in _HELPERS):
            return
        warnings.filterwarnings("ignore", message="This process .* is multi-threaded", category=DeprecationWarning)
        _start(options)
        if hasattr(
            os, "register_at_fork"
        ):  # hooks run in order: the recorder's own, which makes it forget the parent, first
            os.register_at_fork(after_in_child=_join_as_child)
    except Exception as exc:  # the program runs on unwatched, whatever is wrong with us
        _LOGGER.warning("memanalysis could not watch this program, which goes on: %s: %s", type(exc).__name__, exc)


def _start(options: dict[str, Any]) -> None:
    global _recorder
    from memanalysis.watcher.recorder import watch

    _recorder = watch(options.pop("service"), **options)
    _recorder.start()


def _join_as_child() -> None:
    """Begin a run of its own in a forked child."""
    if _recorder is None or is_forking():
        return
    _recorder.start()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:  # its workers end without the interpreter's exit handlers
        util.register_after_fork(_recorder, _stop_with_worker)


def _stop_with_worker(recorder: "Recorder") -> None:
    from multiprocessing.util import Finalize

    Finalize(None, recorder.stop, kwargs={"seal": False}, exitpriority=0)


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environment)  # noqa: S606  the program that was asked for


def _interpreter_flags() -> list[str]:
    """Flags that this Python was started with, such as ``-X dev`` or ``-W error``."""
    return list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
