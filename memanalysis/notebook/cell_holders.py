"""Find who holds the result of a cell, or the variables of a failed one, and release them.

IPython holds every shown result in ``Out`` and under ``_``, ``__``, ``___`` and ``_3``, and the last error with its
traceback, which holds the variables of each function that it passed through. So ``del name`` frees nothing that was
also shown. A cell report states this where it matters, and ``release`` undoes it for what IPython holds: names of the
user are never touched.
"""

import gc
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from memanalysis.response.trim import return_free_memory
from memanalysis.units import MIB, format_bytes

__all__ = ["Released", "find_result_holders", "release", "shallow_size_bytes"]

NOTABLE_BYTES = MIB
"""Smallest size of a held result that a cell report mentions: below it nobody misses the memory."""

_UNDERS = ("_", "__", "___")


@dataclass(frozen=True, slots=True)
class Released:
    """What was let go of: the numbers of the ``Out`` entries, and whether an error was."""

    outputs: tuple[int, ...]
    error: bool


def find_result_holders(shell: Any, result: Any, count: int | None, *, retained_bytes: int | None) -> str | None:
    """Return one sentence that names who holds the result of cell ``count``; None when nobody does or it is small.

    Parameters
    ----------
    retained_bytes : int or None
        What the cell retains in all: shows whether a container, whose own size shows nothing, is worth a sentence.
    """
    if result is None or count is None or shell.user_ns.get("_oh", {}).get(count) is not result:
        return None
    size_bytes = shallow_size_bytes(result)
    is_container = size_bytes is None and gc.is_tracked(result)
    if (size_bytes or 0) < NOTABLE_BYTES and not (is_container and (retained_bytes or 0) >= NOTABLE_BYTES):
        return None
    holders = [f"Out[{count}]", f"_{count}", *(name for name in _UNDERS if shell.user_ns.get(name) is result)]
    size = f" ({format_bytes(size_bytes)})" if size_bytes else ""
    return (
        f"IPython holds the shown result{size} as {', '.join(holders[:-1])} and {holders[-1]}. "
        f"%memwatch release {count} lets go of it; names of your own that hold it stay."
    )


def shallow_size_bytes(value: Any) -> int | None:
    """Size of an array, frame or text without walking through it; None for anything else.

    The size of an array that is a view is that of the array that it holds.
    """
    if isinstance(value, (str, bytes, bytearray)):
        return sys.getsizeof(value)
    while getattr(value, "base", None) is not None and hasattr(value.base, "nbytes"):
        value = value.base
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "memory_usage"):
        usage = value.memory_usage()
        return int(usage if isinstance(usage, int) else usage.sum())
    return None


def release(shell: Any, counts: Iterable[int] | None = None) -> Released:
    """Make IPython let go of shown results (all of them, or those of some cells), and of the last error.

    An error is let go of only when no cells are named. What is free then is given back to the system.
    """
    outputs = shell.user_ns.get("_oh", {})
    asked = set(outputs) if counts is None else set(counts)
    gone = tuple(sorted(asked & set(outputs)))
    for count in gone:
        _release_output(shell, outputs, count)
    error = counts is None and _release_error(shell)
    gc.collect()
    return_free_memory()
    return Released(gone, error)


def _release_output(shell: Any, outputs: dict[int, Any], count: int) -> None:
    result = outputs.pop(count)
    shell.user_ns.pop(f"_{count}", None)
    shell.user_ns_hidden.pop(f"_{count}", None)
    hook = vars(shell.displayhook)
    for name in _UNDERS:
        for names in (shell.user_ns, shell.user_ns_hidden, hook):  # IPython compares them, so all get the same value
            if names.get(name) is result:
                names[name] = ""
    last = getattr(shell, "last_execution_result", None)
    if last is not None and last.result is result:
        last.result = None


def _release_error(shell: Any) -> bool:
    """Clear what the frames of the last error hold, and forget the error itself."""
    last = getattr(shell, "last_execution_result", None)
    errors = [
        getattr(sys, "last_exc", None),
        getattr(sys, "last_value", None),
        getattr(last, "error_in_exec", None),
        getattr(shell.InteractiveTB, "evalue", None),
    ]
    found = [error for error in errors if isinstance(error, BaseException)]
    for error in found:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
    for name in ("last_exc", "last_value", "last_type", "last_traceback"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    for name in ("evalue", "etype", "tb"):
        if getattr(shell.InteractiveTB, name, None) is not None:
            setattr(shell.InteractiveTB, name, None)
    return bool(found)
