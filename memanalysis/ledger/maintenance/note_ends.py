"""Notes how a run ended that recorded no end itself: what shows from outside, while it still shows.

The row of a run holds what its process recorded. Of one that was killed there is the beginning alone, so whoever finds
it gone (the next start, the process that seals, the one that compacts, a parent that waited) adds a row with
``ending``. Counters of the kernel change and its log is overwritten, so the sooner the better. Standard library only.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memanalysis._gone_process import find_traces, runs_on_this_kernel
from memanalysis.ledger.jsonl import MAX_LINE_BYTES
from memanalysis.ledger.paths import JSONL_SUFFIX, LIVE_FOLDER, PARTITION_PREFIX, run_of_stem, slug_of_service
from memanalysis.ledger.values import dump_json, format_moment
from memanalysis.ledger.writing.segment_rotation import lock_file

__all__ = [
    "MAX_RUNS",
    "EndedChild",
    "LiveFiles",
    "describe_end",
    "find_unnoted_end",
    "list_live_files",
    "note_end",
    "note_ends",
]

MAX_RUNS = 8
"""Runs of a service that are checked at a start, the latest."""

MAX_FILE_BYTES = 4 * 1024**2
"""The file of a run has a row or two; a larger one is left alone."""

EARLY_S = 1.0
"""The clock of the system may be set back by so much between the start of a child and that of its run."""

LiveFiles = dict[tuple[str, str], list[Path]]
"""Files of lines by the folder of their service and their run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedChild:
    """What a parent knows of a process that it started, and that has just ended.

    Parameters
    ----------
    pid : int
    exit_status : int
        Its exit code, or less than 0 the signal that ended it.
    started_at : float
        When it was started, in epoch seconds. In a container, the processes of many runs have the same number.
    """

    pid: int
    exit_status: int
    started_at: float


def note_ends(
    root: Path, *, service: str | None = None, most: int | None = None, child: EndedChild | None = None
) -> int:
    """Note the ends of the runs of a ledger whose processes are gone without a word; how many.

    Parameters
    ----------
    root : Path
        Folder of the ledger.
    service : str, optional
        Of the runs; all, if not given.
    most : int, optional
        Runs that are checked, the latest; all, if not given.
    child : EndedChild, optional
        What the caller's own child ended with just now. Its runs end now, unless they have noted when they did.
    """
    partition = "*" if service is None else PARTITION_PREFIX + slug_of_service(service)
    paths = sorted((root / LIVE_FOLDER / "runs").glob(f"{partition}/*{JSONL_SUFFIX}"), key=lambda path: path.name)
    n_noted = 0
    for path in paths[-most:] if most else paths:
        with suppress(OSError):  # of another user, or sealed meanwhile
            n_noted += note_end(path, child=child)
    return n_noted


def note_end(path: Path, *, child: EndedChild | None = None) -> bool:
    """Note the end of one run in its file of the table ``runs``; False where there is none to note.

    Raises
    ------
    OSError
        The file cannot be read or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
    try:
        if lock_file(descriptor) is False or os.fstat(descriptor).st_size > MAX_FILE_BYTES:
            return False
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read()
        row = _last_row(content)
        status = child.exit_status if child is not None and _is_of(child, row) else None
        ending = None if _is_explained(row, status) else describe_end(row, exit_status=status)
        if ending is None:
            return False
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)  # a half line that a kill left
        noted = {**row, "ending": ending}
        if status is not None and row.get("ended") is None:  # its parent was given the status just now
            noted["ended"] = format_moment(datetime.now(UTC).replace(tzinfo=None))
        os.write(descriptor, dump_json(noted) + b"\n")
        return True
    finally:
        os.close(descriptor)


def list_live_files(root: Path) -> LiveFiles:
    """Return the files of lines of the table ``runs``, listed once for `find_unnoted_end` on all runs of a ledger."""
    found: LiveFiles = {}
    for path in (root / LIVE_FOLDER / "runs").glob(f"{PARTITION_PREFIX}*/*{JSONL_SUFFIX}"):
        found.setdefault((path.parent.name, run_of_stem(path.stem)), []).append(path)
    return found


def find_unnoted_end(live: LiveFiles, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how a run ended that nobody has noted yet, and write nothing; None where it goes on, or is not known.

    Parameters
    ----------
    live : mapping
        What `list_live_files` gives.
    row : mapping
        Of the table ``runs``, as for `describe_end`.
    """
    partition = PARTITION_PREFIX + slug_of_service(row.get("service"))
    for path in live.get((partition, str(row.get("run_id"))), ()):
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return None
        try:
            if lock_file(descriptor) is False:
                return None
        finally:
            os.close(descriptor)
    return describe_end(row)


def describe_end(row: Mapping[str, Any], *, exit_status: int | None = None) -> dict[str, Any] | None:
    """Return the cell ``ending`` of a run whose writer has let go of its files; None where it is not known to be gone.

    Parameters
    ----------
    row : mapping
        Of the table ``runs``; ``started`` is epoch seconds or ISO 8601 text.
    exit_status : int, optional
        What its parent was given.
    """
    state = row.get("at_start")
    state = state if isinstance(state, Mapping) else {}
    is_here = row.get("host") == socket.gethostname()
    if not is_here and not runs_on_this_kernel(state):
        return None
    started = _read_moment(row.get("started"))
    if started is None:
        return None
    traces = find_traces(_read_pid(row) if is_here else None, started=started, state=state)
    if traces.pop("still_runs", False):
        return None
    if exit_status is None:
        return {"how": "gone", "seen_by": "outside", **traces}
    ending = row.get("ending")
    known = {**traces, **(ending if isinstance(ending, Mapping) else {})}
    return {"how": "gone", "seen_by": "parent", **known, "exit_status": exit_status}


def _is_of(child: EndedChild, row: Mapping[str, Any]) -> bool:
    """Return whether a run is of this process, and not of an earlier one with its number."""
    started = _read_moment(row.get("started"))
    return _read_pid(row) == child.pid and started is not None and started >= child.started_at - EARLY_S


def _is_explained(row: Mapping[str, Any], status: int | None) -> bool:
    """Return whether all is known of the end of a run; a run without a row is none."""
    ending = row.get("ending")
    if status is not None and isinstance(ending, Mapping):
        return "exit_status" in ending
    return not row or row.get("ended") is not None or ending is not None


def _last_row(content: bytes) -> dict[str, Any]:
    """Return the last whole row; empty where there is none."""
    for line in reversed(content.split(b"\n")):
        if line and len(line) <= MAX_LINE_BYTES:
            with suppress(ValueError, RecursionError):
                found = json.loads(line)
                if isinstance(found, dict):
                    return found
    return {}


def _read_pid(row: Mapping[str, Any]) -> int | None:
    pid = row.get("pid")
    return pid if isinstance(pid, int) else None


def _read_moment(value: object) -> float | None:
    with suppress(ValueError, OverflowError):
        if isinstance(value, str):
            return datetime.fromisoformat(value).timestamp()
        return float(value) if isinstance(value, int | float) else None
    return None
