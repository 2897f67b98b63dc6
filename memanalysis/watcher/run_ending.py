"""Describe how the watched program ends, as far as it can still record it: what its run has in ``runs.ending``.

Python keeps the exception that ended the main code (``sys.last_value``), so nothing of the program is wrapped. A worker
of `multiprocessing` ends amid its exception; from Python 3.13 on it is noted as it is printed (`worker_error`). What is
kept of one: its type, its text without secrets, where it was raised, and where it was refused memory that, and the
limits that the system holds the process to.
"""

import errno
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from memanalysis.capture.user_frames import find_user_frame
from memanalysis.errors import MemoryBudgetExceeded
from memanalysis.watcher.redaction import ArgvMode, redact_arguments

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["RETURNED", "STOPPED", "describe_error", "describe_program_end", "read_limits"]

STOPPED = {"how": "stopped", "seen_by": "program"}
"""The recorder was stopped, and the program goes on as far as is known."""

RETURNED = {"how": "returned", "seen_by": "program"}
"""The interpreter ended in order. Its exit code is not known from inside."""

MAX_TEXT = 300
"""Characters that are kept of an exception's text."""

MAX_FRAMES = 100
"""Of a traceback, the innermost: one of a recursion is long."""

_LIMITS = {"RLIMIT_AS": "address_space", "RLIMIT_DATA": "private_memory"}
_STATUS = Path("/proc/self/status")


def describe_program_end(argv: ArgvMode) -> dict[str, Any]:
    """Return how this process ends, to be asked in its exit handlers."""
    error = sys.exception() or _find_main_error()
    return dict(RETURNED) if error is None else describe_error(error, argv)


def describe_error(error: BaseException, argv: ArgvMode) -> dict[str, Any]:
    """Return how a program ends by an exception.

    Parameters
    ----------
    error : BaseException
        What ends it; of ``SystemExit`` the exit code is kept.
    argv : {"redacted", "full", "none"}
        What is kept of the program's arguments: the text of an exception is treated alike.
    """
    if isinstance(error, SystemExit):
        code = error.code
        return {**RETURNED, "exit_code": 0 if code is None else code if isinstance(code, int) else 1}
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    exception: dict[str, Any] = {"type": name} | _find_place(error.__traceback__)
    if argv != "none" and (text := _read_text(error)):
        exception["message"] = text if argv == "full" else redact_arguments([text])[0]
    ending: dict[str, Any] = {"how": "exception", "seen_by": "program", "exception": exception}
    if _is_for_memory(error):
        ending["is_memory"] = True
        if not isinstance(error, MemoryBudgetExceeded) and (limits := read_limits()):  # a budget is no limit of these
            ending["limits"] = limits
    return ending


def read_limits() -> dict[str, int]:
    """Return the bytes that the system lets this process map, by name, and the most that it had mapped."""
    limits: dict[str, int] = {}
    if resource is None:
        return limits
    for constant, name in _LIMITS.items():
        soft = resource.getrlimit(getattr(resource, constant))[0] if hasattr(resource, constant) else -1
        if soft not in (-1, resource.RLIM_INFINITY):
            limits[f"{name}_bytes"] = soft
    if limits:
        try:
            lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
            limits["peak_mapped_bytes"] = next(1024 * int(line.split()[1]) for line in lines if "VmPeak" in line)
        except (OSError, StopIteration, ValueError):  # another system than Linux
            return limits
    return limits


def _is_for_memory(error: BaseException) -> bool:
    """Return whether memory was refused: by Python, by a library, or by the system, as to ``mmap`` and ``fork``."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _find_main_error() -> BaseException | None:
    """Return the exception that ended the main code, and no other that Python has printed meanwhile."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) or sys.flags.inspect or sys.flags.interactive:
        return None
    outermost = error.__traceback__
    if outermost is None:  # the main program could not be compiled
        return error if isinstance(error, SyntaxError) else None
    code = outermost.tb_frame.f_code
    is_main = outermost.tb_frame.f_globals is vars(sys.modules["__main__"]) and code.co_name == "<module>"
    return error if is_main or code.co_filename == "<frozen runpy>" else None


def _find_place(trace: TracebackType | None) -> dict[str, Any]:
    """Return file, line and function of the innermost frame of the user's code, or of the innermost one."""
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno, trace.tb_frame.f_code.co_qualname))
        trace = trace.tb_next
    frames = frames[: -MAX_FRAMES - 1 : -1]
    if not frames:
        return {}
    places = tuple((file, line) for file, line, _ in frames)
    place = find_user_frame(places) or places[0]
    function = next(name for file, line, name in frames if (file, line) == place)
    return {"file": place[0], "line": place[1], "function": function}


def _read_text(error: BaseException) -> str:
    """Return the text of an exception; one whose own code fails has none."""
    try:
        return str(error)[:MAX_TEXT]
    except Exception:  # the program's own __str__
        return ""
