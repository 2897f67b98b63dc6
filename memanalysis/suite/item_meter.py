"""What one test did to memory: resident memory at its start, highest point and end, and what it keeps, sampled."""

import gc
import time
from dataclasses import dataclass
from typing import Any

from memanalysis.capture import sampler
from memanalysis.capture.growing_line import find_largest_line
from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.capture.process import ProcessReader
from memanalysis.capture.wrapper_frames import make_portable
from memanalysis.units import MIB

__all__ = ["ItemFigures", "ItemMeter", "SuiteSampling"]

MIN_LINE_BYTES = 2 * MIB
"""The line of the peak is searched for from this rise on."""

MAX_FRAMES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFigures:
    """Memory of one test, in bytes; None is unknown.

    Parameters
    ----------
    start_bytes, peak_bytes, end_bytes : int or None
        Resident memory before its fixtures are set up, at the highest point, and when they are torn down.
    retained_bytes : int or None
        What Python and numpy allocated in it and still hold, estimated from a sample.
    engine : str
        ``sampled``, or ``off`` where the sampler is not there.
    peak_line : str or None
        The line of the user's code that held the most at the highest point, such as ``tests/test_app.py:12``.
    is_exact : bool
        False where a peak between two readings is not seen.
    duration_s : float
        From setup to teardown.
    """

    start_bytes: int | None
    peak_bytes: int | None
    end_bytes: int | None
    retained_bytes: int | None
    engine: str
    peak_line: str | None
    is_exact: bool
    duration_s: float

    @property
    def rise_bytes(self) -> int | None:
        """How far the highest point is above the start."""
        if self.peak_bytes is None or self.start_bytes is None:
            return None
        return max(0, self.peak_bytes - self.start_bytes)

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields by name, as they go through JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class SuiteSampling:
    """The sampler for the time of a session; one that runs already is joined."""

    def __init__(self) -> None:
        self._is_ours = False

    def start(self) -> None:
        """Begin, where this Python can sample."""
        if sampler.why_unavailable() is None:
            self._is_ours = sampler.start(interval_bytes=sampler.CELL_INTERVAL_BYTES, max_frames=MAX_FRAMES)

    def stop(self) -> None:
        """End what was begun here."""
        if self._is_ours:
            self._is_ours = False
            sampler.stop()


class ItemMeter:
    """Measures one test, from `start` to `stop`."""

    def __init__(self, reader: ProcessReader) -> None:
        self._reader = reader
        gc.collect(1)  # young garbage of the tests before
        if sampler.is_running():
            sampler.check()
        stats = sampler.read_stats()
        self._births, self._times_cut_off = stats.n_births, stats.times_cut_off
        self._is_exact = mark_high_water()
        self._start_bytes = reader.read_rss_bytes()
        sampler.mark_peak()
        self._live_bytes = sampler.read_live_bytes()
        self._highest_bytes = 0
        self._began_s = time.perf_counter()

    def note_peak(self) -> None:
        """Note the highest point so far, before somebody else sets the system's mark back."""
        resident = read_resident() if self._is_exact else None
        if resident is not None:
            self._highest_bytes = max(self._highest_bytes, resident.highest_bytes)

    def stop(self) -> ItemFigures:
        """Read what there is at the end."""
        duration_s = time.perf_counter() - self._began_s
        self.note_peak()
        gc.collect(1)
        end_bytes = self._reader.read_rss_bytes()
        live = sampler.read_live_bytes()
        is_whole = sampler.is_running() and sampler.read_stats().times_cut_off == self._times_cut_off
        known = [size for size in (self._start_bytes, end_bytes, self._highest_bytes) if size]
        return ItemFigures(
            start_bytes=self._start_bytes,
            peak_bytes=max(known, default=None),
            end_bytes=end_bytes,
            retained_bytes=None
            if live is None or self._live_bytes is None or not is_whole
            else live - self._live_bytes,
            engine="sampled" if self._live_bytes is not None else "off",
            peak_line=self._find_peak_line() if is_whole else None,
            is_exact=self._is_exact,
            duration_s=duration_s,
        )

    def _find_peak_line(self) -> str | None:
        highest = sampler.read_peak_bytes()
        if highest is None or self._live_bytes is None or highest - self._live_bytes < MIN_LINE_BYTES:
            return None
        line = find_largest_line(sampler.read_peak(), since_birth=self._births)
        return None if line is None else f"{make_portable(line[0])}:{line[1]}"
