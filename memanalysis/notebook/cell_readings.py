"""Read resident memory some times a second while a cell runs: one thread for all cells, asleep between them.

Starting a thread waits until it runs, and ending one waits for its end. For each cell that was a third of what watching
took, so the thread stays, and a cell only hands it what to call.
"""

import threading
from collections.abc import Callable

__all__ = ["READ_EVERY_S", "CellReadings"]

READ_EVERY_S = 0.05
"""Seconds between two readings of resident memory while a cell runs: 20 wake-ups a second have no measurable cost."""

CLOSE_WITHIN_S = 5.0
"""Seconds to wait for the thread to end: it only ever reads one counter and writes one row."""

OnReading = Callable[[int | None], None]


class CellReadings:
    """The readings of the cells of one session.

    Parameters
    ----------
    read_rss_bytes : callable
        Gives resident memory, or None.
    period_s : float
        Seconds between two readings.
    """

    def __init__(self, read_rss_bytes: Callable[[], int | None], *, period_s: float = READ_EVERY_S) -> None:
        self._read_rss_bytes = read_rss_bytes
        self._period_s = period_s
        self._lock = threading.Lock()
        self._has_cell = threading.Event()
        self._closed = threading.Event()
        self._on_reading: OnReading | None = None
        self._highest_rss_bytes: int | None = None
        self._thread: threading.Thread | None = None

    def begin(self, on_reading: OnReading) -> None:
        """Read for a cell from now on; ``on_reading`` is called in the thread with each value."""
        with self._lock:
            self._on_reading, self._highest_rss_bytes = on_reading, None
        self._has_cell.set()
        if self._thread is None or not self._thread.is_alive():  # a forked process has no thread of its parent
            self._thread = threading.Thread(target=self._run, name="memwatch-cells", daemon=True)
            self._thread.start()

    def end(self) -> int | None:
        """Return the highest value that was read for the cell; ``on_reading`` is not called any more."""
        self._has_cell.clear()
        with self._lock:
            self._on_reading = None
            return self._highest_rss_bytes

    def close(self) -> None:
        """End the thread."""
        self.end()
        self._closed.set()
        self._has_cell.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=CLOSE_WITHIN_S)

    def _run(self) -> None:
        while self._has_cell.wait() and not self._closed.wait(self._period_s):
            with self._lock:
                if self._on_reading is not None:
                    self._read(self._on_reading)

    def _read(self, on_reading: OnReading) -> None:
        rss_bytes = self._read_rss_bytes()
        if rss_bytes is not None:
            self._highest_rss_bytes = max(self._highest_rss_bytes or 0, rss_bytes)
        on_reading(rss_bytes)
