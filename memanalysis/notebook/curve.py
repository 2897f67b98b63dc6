"""Record memory over time while one cell runs, and its highest value: bytes, by seconds since the cell began.

A small thread reads two counters every few milliseconds while the cell
runs: resident memory (RSS) and, where allocations are followed, what Python holds. The curve never holds more
than ``MAX_POINTS`` points: when it is full, neighbours are merged into the higher one and the readings become rarer, so
that a cell of a minute and one of a day cost the same memory.
"""

import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CurvePoint", "CurveSampler", "MemoryCurve", "read_highest_rss_bytes"]

MAX_POINTS = 1_000
"""Points held of one cell: more than a plot of 700 pixels can show."""

FIRST_PERIOD_S = 0.01
"""Seconds between two readings at first: a cell of a tenth of a second still gets a curve."""

STOP_WITHIN_S = 5.0
"""Seconds to wait for the reading thread to end: it only ever sleeps one period and reads two counters."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the process held at one moment; None is unknown."""

    elapsed_s: float
    rss_bytes: int | None
    python_bytes: int | None


class MemoryCurve:
    """Points of one cell in the order of time, never more than ``max_points`` of them."""

    def __init__(self, *, max_points: int = MAX_POINTS) -> None:
        self.points: list[CurvePoint] = []
        self.points_merged = 1
        self._max_points = max_points

    def add(self, point: CurvePoint) -> None:
        """Add a point; merges neighbours when the curve is full."""
        self.points.append(point)
        if len(self.points) >= self._max_points:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            odd_one = self.points[-1:] if len(self.points) % 2 else []
            self.points = [_merge_points(first, second) for first, second in pairs] + odd_one
            self.points_merged *= 2

    @property
    def highest_rss_bytes(self) -> int | None:
        """Most resident memory that was read, None where the system does not report it."""
        return max((point.rss_bytes for point in self.points if point.rss_bytes is not None), default=None)

    @property
    def highest_python_bytes(self) -> int | None:
        """Most Python memory that was read, None when allocations were not followed."""
        return max((point.python_bytes for point in self.points if point.python_bytes is not None), default=None)


class CurveSampler:
    """Fills a curve from a thread of its own, between ``start`` and ``stop``.

    Parameters
    ----------
    read_rss_bytes : callable
        Gives resident memory, or None.
    read_python_bytes : callable, optional
        Gives what Python holds, or None; what tracemalloc follows when not given.
    on_point : callable, optional
        Called in the thread with every point, before it is added.
    """

    def __init__(
        self,
        read_rss_bytes: Callable[[], int | None],
        *,
        read_python_bytes: Callable[[], int | None] | None = None,
        on_point: Callable[[CurvePoint], None] | None = None,
        period_s: float = FIRST_PERIOD_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.curve = MemoryCurve()
        self._read_rss_bytes = read_rss_bytes
        self._read_python_bytes = read_python_bytes or _read_traced_bytes
        self._on_point = on_point
        self._period_s = period_s
        self._clock = clock
        self._began = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the first point now and the others from a thread."""
        self._began = self._clock()
        self.curve.add(self._read_point())
        self._thread = threading.Thread(target=self._run, name="memwatch-curve", daemon=True)
        self._thread.start()

    def stop(self) -> MemoryCurve:
        """End the thread, take the last point and give the curve."""
        last = self._read_point()
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_WITHIN_S)
        self.curve.add(last)
        return self.curve

    def _run(self) -> None:
        while not self._ended.wait(self._period_s * self.curve.points_merged):
            point = self._read_point()
            if self._on_point is not None:
                self._on_point(point)
            if not self._ended.is_set():
                self.curve.add(point)

    def _read_point(self) -> CurvePoint:
        return CurvePoint(self._clock() - self._began, self._read_rss_bytes(), self._read_python_bytes())


def read_highest_rss_bytes() -> int | None:
    """Most resident memory of this process in its whole life, None where the system does not report it.

    A rise of this number during a cell is the exact peak of that cell, however short it was.
    """
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024  # Linux and the BSDs count in KiB


def _read_traced_bytes() -> int | None:
    return tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None


def _merge_points(first: CurvePoint, second: CurvePoint) -> CurvePoint:
    return CurvePoint(
        second.elapsed_s,
        max((value for value in (first.rss_bytes, second.rss_bytes) if value is not None), default=None),
        max((value for value in (first.python_bytes, second.python_bytes) if value is not None), default=None),
    )
