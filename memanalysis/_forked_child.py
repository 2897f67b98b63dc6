"""Put right in a forked child what is still the parent's: at the fork, or when it is first needed there.

Each object that a child touches is a page that the system copies, some microseconds each, and most children end soon.
So where something in the child promises to call `settle` before the first use, nothing is done at the fork itself.

Imported in every process of a watched program as Python starts: it loads nothing.
"""

import os
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_in_child", "defer", "is_forked", "settle"]

_calls: "list[Callable[[], None]]" = []
_first_pid = os.getpid()
_is_deferred = False
_is_unsettled = False
_lock = RLock()


def call_in_child(call: "Callable[[], None]") -> None:
    """Have something called in each forked child, once, before `settle` returns there.

    Parameters
    ----------
    call : callable
        Raises nothing, and waits for no lock: a thread that is not in the child may hold it.
    """
    _calls.append(call)


def defer() -> None:
    """Do nothing at a fork from now on: the caller settles each child later, and whatever is called there does so."""
    global _is_deferred
    _is_deferred = True


def is_forked() -> bool:
    """Return whether this process was forked from one that had loaded this module, and runs no program of its own."""
    return os.getpid() != _first_pid


def settle() -> None:
    """Do in a forked child what has not been done since the fork; does nothing in another process."""
    global _is_unsettled
    if not _is_unsettled:
        return
    with _lock:
        if not _is_unsettled:  # another thread was first
            return
        for call in _calls:
            call()
        _is_unsettled = False


def _note_fork() -> None:
    global _is_unsettled, _lock
    _is_unsettled = True
    _lock = RLock()
    if not _is_deferred:
        settle()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
