"""Which containers' new entries explain what resident memory grew by? Two walks over the objects, each expensive."""

import time
from collections.abc import Callable

from memanalysis.capture.container_entries import ContainerLengths, GrownEntries, find_grown_entries, read_lengths
from memanalysis.capture.sample import Clock
from memanalysis.units import KIB

__all__ = ["EntryGrowth"]

MIN_GROWN_BYTES = 64 * KIB
"""New entries that take less are in every program."""

RECENT_S = 60.0
"""A walk that was made since then is not made again: growth counts from there."""

CENSUSES_A_WALK = 2.0
"""A walk that was never made takes about twice what a census of the types takes."""


class EntryGrowth:
    """The containers of one run, by their lengths.

    Parameters
    ----------
    clock : Clock
        When it is.
    read_rss_bytes : callable
        Returns resident memory, None where it is not known.

    Attributes
    ----------
    walk_s : float or None
        Processor seconds of the last walk.
    """

    def __init__(self, *, clock: Clock, read_rss_bytes: Callable[[], int | None]) -> None:
        self.walk_s: float | None = None
        self._clock = clock
        self._read_rss_bytes = read_rss_bytes
        self._lengths: ContainerLengths | None = None
        self._rss_bytes: int | None = None
        self._noted_at = float("-inf")

    def estimate_s(self, census_s: float) -> float:
        """Estimate what a walk takes from the last one, or from what a census of the types takes."""
        return CENSUSES_A_WALK * census_s if self.walk_s is None else self.walk_s

    def note(self) -> None:
        """Walk over the containers that growth is counted from, unless that was done a moment ago."""
        now = self._clock.monotonic()
        if now < self._noted_at + RECENT_S:
            return
        started = time.thread_time()
        self._lengths, self._rss_bytes, self._noted_at = read_lengths(), self._read_rss_bytes(), now
        self.walk_s = time.thread_time() - started

    def find(self, *, min_share: float, seconds: float) -> list[GrownEntries]:
        """Find what holds the new entries that explain a share of the growth of resident memory, the most bytes first.

        Parameters
        ----------
        min_share : float
            Empty where the first explains less of the growth. Where resident memory is not known, a fixed size counts.
        seconds : float
            Of processor time, for the holders.
        """
        if self._lengths is None:
            return []
        rss_bytes = self._read_rss_bytes()
        grown_bytes = 0 if rss_bytes is None or self._rss_bytes is None else rss_bytes - self._rss_bytes
        min_bytes = max(MIN_GROWN_BYTES, min_share * grown_bytes)
        found = find_grown_entries(self._lengths, min_bytes=min_bytes, seconds=seconds)
        return found if found and found[0].size_bytes >= min_bytes else []
