"""Which process is this: the row of ``runs`` that a recorder begins with, and the name of the run.

Everything is read from files and from the interpreter in a few milliseconds: no process is started and no metadata
parsed.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memanalysis._forked_child import is_forked
from memanalysis._gone_process import read_state
from memanalysis._machine import read_system
from memanalysis.capture.fatal_signals import are_signals_seen
from memanalysis.capture.process import find_oom_file
from memanalysis.schema import SCHEMA_VERSION
from memanalysis.watcher.git_commit import read_git_commit
from memanalysis.watcher.imported_packages import find_imported, list_installed
from memanalysis.watcher.redaction import ArgvMode, select_arguments
from memanalysis.watcher.release import find_release
from memanalysis.watcher.run_request import read_program_pid

__all__ = ["make_run_id", "make_run_row"]

COMMIT_VARIABLE = "MEMANALYSIS_COMMIT"
"""Names the commit of the program's code, as in a container without a ``.git`` folder."""

MAX_COMMIT_CHARACTERS = 200

RANDOM_BYTES = 4
"""Two runs of one pid within a second stay apart."""


def make_run_id(started: float, *, pid: int | None = None) -> str:
    """Name of a run: when it started (UTC), its pid and eight random digits."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started))
    return f"{stamp}-{pid or os.getpid()}-{os.urandom(RANDOM_BYTES).hex()}"


def make_run_row(
    service: str,
    *,
    started: float,
    policy_sha256: str | None = None,
    argv: ArgvMode = "redacted",
    release: str | None = None,
    labels: Mapping[str, str] | None = None,
    trace: str | None = None,
    sampling_interval_bytes: int | None = None,
) -> dict[str, Any]:
    """Row of ``runs`` for this process, with ``ended`` unknown.

    Parameters
    ----------
    service : str
        Name of the watched service.
    started : float
        Epoch seconds.
    policy_sha256 : str, optional
        Hash of the policy it runs under.
    argv : {"redacted", "full", "none"}
        What is kept of the program's arguments.
    release : str, optional
        Name of the release; see `find_release`.
    labels : mapping, optional
        Labels of the run, as `find_labels` gives them.
    trace : str, optional
        The engine that finds the lines: sampled, windows, full or off.
    sampling_interval_bytes : int, optional
        Mean bytes between two samples, where the engine is the sampler.
    """
    system, host = read_system()
    installed = list_installed()
    versions = {name: found.version for name, found in installed.items()}
    return {
        "run_id": make_run_id(started),
        "service": service,
        "host": host,
        "pid": os.getpid(),
        "parent_pid": os.getppid(),
        "program_pid": read_program_pid(),
        "started": started,
        "ended": None,
        "python": f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}",
        "platform": system,
        "argv": select_arguments(sys.argv, argv),
        "git_commit": _read_program_commit(),
        "release": find_release(release, service=service, packages=versions),
        "labels": labels,
        "packages": find_imported(installed, searches_files=False),
        "policy_sha256": policy_sha256,
        "trace": trace,
        "sampling_interval_bytes": sampling_interval_bytes,
        "ending": None,
        "at_start": read_state(find_oom_file()) | {"sees_signals": are_signals_seen(), "notes_end": _is_end_noted()},
        "schema_version": SCHEMA_VERSION,
    }


def _is_end_noted() -> bool:
    """Return whether this process runs exit handlers where it ends in order: a forked one may leave by ``os._exit``."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    is_worker = multiprocessing is not None and multiprocessing.parent_process() is not None
    return is_worker or not is_forked()


def _read_program_commit() -> str | None:
    """Commit that the environment names, else around the main program, or the working folder in a notebook or prompt.

    Images of containers rarely have a ``.git`` folder.
    """
    if given := os.environ.get(COMMIT_VARIABLE, "")[:MAX_COMMIT_CHARACTERS]:
        return given
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        folder = Path(main_file).absolute().parent if isinstance(main_file, str) else Path.cwd()
    except FileNotFoundError:  # the working folder was removed
        return None
    return read_git_commit(folder)
