"""When is the next tick? A beat that does not drift, and that skips what it missed instead of hurrying after it."""

import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["TickThread", "run_ticks"]


class TickThread(threading.Thread):
    """A daemon thread that also ends quietly where gevent patched `threading` while it ran.

    Patched, `threading` looks for the thread under another number when it ends, and complains on standard error.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__(target=run, name="memanalysis-recorder", daemon=True)

    def _delete(self) -> None:
        with suppress(KeyError):
            super()._delete()  # type: ignore[misc]


def run_ticks(
    tick: Callable[[], float | None],
    *,
    interval_s: float,
    wait: Callable[[float], bool],
    monotonic: Callable[[], float],
    check: Callable[[], float | None] = lambda: None,
) -> None:
    """Tick every ``interval_s`` seconds, the first time after one interval, until told to stop.

    Parameters
    ----------
    tick : callable
        Raises nothing. Gives by how much the next interval is longer than ``interval_s``; None is 1.
    wait : callable
        Waits so many seconds; True when it is time to stop, such as ``threading.Event().wait``.
    monotonic : callable
        The clock that the beat keeps to.
    check : callable, optional
        Called after each tick, and again when it says so: gives the time of the clock, or None when the next tick will
        do. It moves no tick.
    """
    next_at = monotonic() + interval_s
    check_at: float | None = None
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
