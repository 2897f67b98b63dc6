"""Call something once a second from a thread, more rarely where it is expensive, until it returns False."""

import atexit
import logging
import threading
import time
from collections.abc import Callable

__all__ = ["PERIOD_S", "RedrawThread"]

_LOGGER = logging.getLogger(__name__)

PERIOD_S = 1.0
"""Between two drawings."""

MAX_CPU_SHARE = 0.05
"""Part of one processor that drawing may take: a picture that takes 0.1 s is drawn every 2 s."""

STOP_WITHIN_S = 5.0
"""Seconds to wait for a drawing that goes on."""


class RedrawThread:
    """Draws while it runs; started again, it goes on.

    Parameters
    ----------
    draw : callable
        Draws once. False ends the thread.
    period_s : float
        Seconds between two drawings, at least.
    """

    def __init__(self, draw: Callable[[], bool], *, period_s: float = PERIOD_S) -> None:
        self._draw = draw
        self._period_s = period_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether it draws."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start to draw, unless it draws already."""
        if self.is_running:
            return
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._ended,), name="memwatch-dashboard", daemon=True)
        atexit.register(self.stop)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it, unless this is it."""
        self._ended.set()
        atexit.unregister(self.stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=STOP_WITHIN_S)

    def _run(self, ended: threading.Event) -> None:
        wait_s = 0.0
        while not ended.wait(wait_s):
            started = time.thread_time()
            try:
                goes_on = self._draw()
            except Exception:  # a drawing that fails is no matter of the program: the next one may succeed
                _LOGGER.debug("The dashboard could not be drawn.", exc_info=True)
                goes_on = True
            if not goes_on:
                break
            wait_s = max(self._period_s, (time.thread_time() - started) / MAX_CPU_SHARE)
