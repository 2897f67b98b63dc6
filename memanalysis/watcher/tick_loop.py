"""When is the next tick? A beat that does not drift, and that skips what it missed instead of hurrying after it.

Imported in every process of a program as Python starts: it loads `threading` and nothing more.
"""

import os
import sys
import threading
import time
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["TickThread", "call_after_fork", "forget_pending", "run_ticks", "wait_until_unlisted"]

GONE_TIMEOUT_S = 0.2
"""The system lists a thread for some microseconds after it was joined; no longer than this is waited for that."""


_pending: "list[Callable[[], None]]" = []
_run_pending: "Any" = None
"""The C function that the interpreter calls; it must stay alive as long as it may be called."""


class TickThread(threading.Thread):
    """A daemon thread that also ends quietly where gevent patched `threading` while it ran.

    Patched, `threading` looks for the thread under another number when it ends, and complains on standard error.
    """

    def __init__(self, run: "Callable[[], None]") -> None:
        super().__init__(target=run, name="memanalysis-recorder", daemon=True)

    def is_current(self) -> bool:
        """Return whether this very thread asks."""
        return self.ident == threading.get_ident()

    def wait_until_gone(self, timeout_s: float) -> bool:
        """Wait until the thread has ended and the system does not list it any more; False when that takes too long."""
        self.join(timeout_s)
        if self.is_alive():
            return False
        wait_until_unlisted(self.native_id)
        return True

    def _delete(self) -> None:
        try:
            super()._delete()  # type: ignore[misc]
        except KeyError:
            return


def wait_until_unlisted(native_id: int | None) -> None:
    """Wait until the system does not list a thread any more that has ended for Python."""
    if sys.platform == "linux":
        place = f"/proc/self/task/{native_id}"
        deadline = time.monotonic() + GONE_TIMEOUT_S
        while os.path.exists(place) and time.monotonic() < deadline:  # noqa: PTH110  no pathlib in every child
            os.sched_yield()


def call_after_fork(call: "Callable[[], None]") -> None:
    """From a hook that runs before a fork: have something called in the parent after it that may start a thread.

    From Python 3.13 on, `os.fork` counts the threads after its hooks. So the hook there is a function in C that asks
    the interpreter for a call as soon as it runs Python code again, which is when `os.fork` has returned.

    Parameters
    ----------
    call : callable
        Raises nothing.
    """
    global _run_pending
    _pending.append(call)
    if _run_pending is not None:
        return
    _run_pending = _run_all_pending
    if sys.version_info >= (3, 13):
        try:
            import ctypes

            _run_pending = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_run_all_pending)
            hook = partial(ctypes.pythonapi.Py_AddPendingCall, _run_pending, None)
        except (ImportError, AttributeError):  # a Python without ctypes, or that is not CPython
            hook = partial(_run_all_pending, None)
    else:
        hook = partial(_run_all_pending, None)
    os.register_at_fork(after_in_parent=hook)


def forget_pending() -> None:
    """In a forked child: what waits there is the parent's."""
    _pending.clear()


def _run_all_pending(_: object) -> int:
    while _pending:
        _pending.pop()()
    return 0


def run_ticks(
    tick: "Callable[[], float | None]",
    *,
    interval_s: float,
    wait: "Callable[[float], bool]",
    monotonic: "Callable[[], float]",
    check: "Callable[[], float | None]" = lambda: None,
    first_at: float | None = None,
) -> float:
    """Tick every ``interval_s`` seconds, the first time after one interval, until ``wait`` returns True.

    Parameters
    ----------
    tick : callable
        Raises nothing. Gives by how much the next interval is longer than ``interval_s``; None is 1.
    wait : callable
        Waits for some seconds; True when it is time to stop, such as ``threading.Event().wait``.
    monotonic : callable
        The clock of the ticks.
    check : callable, optional
        Called after each tick, and again at the time that it returns: a time of the clock, or None when the next tick
        will do. It moves no tick.
    first_at : float, optional
        When the first tick is due, for ticks that were interrupted.

    Returns
    -------
    float
        When the next tick would have been due.
    """
    next_at = monotonic() + interval_s if first_at is None else first_at
    check_at: float | None = None if first_at is None else monotonic()
    while not wait(max(0.0, (next_at if check_at is None else min(next_at, check_at)) - monotonic())):
        if check_at is not None and monotonic() >= check_at:
            check_at = check()
        if monotonic() < next_at:
            continue
        pace_s = interval_s * (tick() or 1.0)
        next_at += pace_s
        late_s = monotonic() - next_at
        if late_s > 0:
            next_at += pace_s * (late_s // pace_s + 1)
        check_at = check() if check_at is None else check_at
    return next_at
