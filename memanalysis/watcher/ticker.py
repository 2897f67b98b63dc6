"""Who ticks? A thread that can be stopped, interrupted for a fork, and renewed in a forked child.

From Python 3.12 on, `os.fork` warns in a process with several threads. A program that has none of its own would be
warned, or ended by ``-W error``, because of the recorder's. So that thread ends just before a fork and goes on in the
parent after it. Where the program has other threads, the warning is the program's, and nothing is interrupted.
"""

import os
import sys
import threading
from collections.abc import Callable

from memanalysis._forked_child import call_in_child, settle
from memanalysis.capture.forking import is_forking
from memanalysis.watcher.error_isolation import ErrorBoundary
from memanalysis.watcher.tick_loop import TickThread, call_after_fork, forget_pending, run_ticks

__all__ = ["Ticker", "pause_for_fork"]

STOP_TIMEOUT_S = 10.0
"""A tick that is under way may take as long as its snapshot; after this, stopping goes on without waiting for it."""

TURN_TIMEOUT_S = 0.1
"""A fork waits no longer than this for a tick that is under way; after that it happens beside the thread."""

PAUSE_TIMEOUT_S = 1.0
"""A thread that was asked to end between two ticks does so at once, if the machine gives it a processor."""

MAX_ERRORS = 100
"""A thread that is interrupted by an exception this often, outside of its ticks, ends."""

_INTERRUPTS_FORKS = sys.version_info >= (3, 12)
"""Before, Python did not warn."""

_running: "set[Ticker]" = set()


class Ticker:
    """Calls ``tick`` at a steady pace in a thread of its own.

    Parameters
    ----------
    tick : callable
        Raises nothing; see `run_ticks`.
    check : callable
        Called between ticks when it asks for it; see `run_ticks`.
    interval_s : float
        Seconds between two ticks.
    monotonic : callable
        The clock of the ticks.
    boundary : ErrorBoundary
        Notes what interrupts the thread outside of its ticks.

    Attributes
    ----------
    ticking : RLock
        Held while a tick is under way.
    """

    def __init__(
        self,
        tick: Callable[[], float | None],
        check: Callable[[], float | None],
        *,
        interval_s: float,
        monotonic: Callable[[], float],
        boundary: ErrorBoundary,
    ) -> None:
        self._tick = tick
        self._check = check
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._boundary = boundary
        self._thread: TickThread | None = None
        self._next_at: float | None = None
        self.renew_locks()

    def start(self) -> None:
        """Start the thread; the first tick comes after one interval.

        Raises
        ------
        RuntimeError
            The system refuses a thread.
        """
        self._next_at = None
        self._launch()
        _running.add(self)

    def prepare(self) -> None:
        """Forget an earlier request to stop; to be called before what waits with `wait`."""
        self._stop_event = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait; True when it is time to stop."""
        return self._stop_event.wait(seconds)

    def is_stopping(self) -> bool:
        """Return whether the thread was asked to stop."""
        return self._stop_event.is_set()

    def stop(self) -> bool:
        """Stop the thread; False when its tick takes too long to be waited for."""
        _running.discard(self)
        self._stop_event.set()
        if self._thread is None or self._thread.is_current():
            return True
        self._thread.join(STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def forget_parent(self) -> None:
        """In a forked child: the thread is the parent's, and so is who holds the locks."""
        self._thread = None
        self.renew_locks()

    def renew_locks(self) -> None:
        """Make locks that nobody holds."""
        self.ticking = threading.RLock()
        self._stop_event = threading.Event()

    def pause(self) -> None:
        """End the thread for a fork, unless its tick takes too long."""
        thread = self._thread
        if thread is None or thread.is_current() or not thread.is_alive() or not self._take_turn():
            return
        try:
            self._stop_event.set()
        finally:
            self.ticking.release()
        if thread.wait_until_gone(PAUSE_TIMEOUT_S):
            call_after_fork(self._resume)
        else:
            self._stop_event.clear()

    def _resume(self) -> None:
        """Go on after a fork, with the tick that is due next."""
        with self._boundary.guard("go on after a fork"):
            self._stop_event.clear()
            self._launch()

    def _launch(self) -> None:
        thread = TickThread(self._run)
        thread.start()
        self._thread = thread

    def _take_turn(self) -> bool:
        """Wait until no tick is under way."""
        return self.ticking.acquire(timeout=TURN_TIMEOUT_S)

    def _run(self) -> None:
        for _ in range(MAX_ERRORS):
            with self._boundary.guard("wait for a tick"):
                self._next_at = run_ticks(
                    self._tick,
                    interval_s=self._interval_s,
                    wait=self._stop_event.wait,
                    monotonic=self._monotonic,
                    check=self._check,
                    first_at=self._next_at,
                )
                return
            self._next_at = None


def _has_other_threads() -> bool:
    """Return whether the program has threads of its own, beside the one that asks."""
    return any(
        not isinstance(thread, TickThread) and thread.ident != threading.get_ident() for thread in threading.enumerate()
    )


def pause_for_fork() -> None:
    """End the recorders' threads before a fork, where Python would warn of them; they go on after it."""
    settle()
    if not _INTERRUPTS_FORKS or not _running or is_forking() or "gevent.monkey" in sys.modules or _has_other_threads():
        return
    for ticker in list(_running):
        ticker.pause()


def _forget_in_child() -> None:
    if not is_forking():
        _running.clear()
        forget_pending()


call_in_child(_forget_in_child)
if _INTERRUPTS_FORKS and hasattr(os, "register_at_fork"):
    os.register_at_fork(before=pause_for_fork)
