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
    """
    next_at = monotonic() + interval_s
    while not wait(max(0.0, next_at - monotonic())):
        pace_s = interval_s * (tick() or 1.0)
        next_at += pace_s
        late_s = monotonic() - next_at
        if late_s > 0:
            next_at += pace_s * (late_s // pace_s + 1)
