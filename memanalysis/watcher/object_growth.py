"""Which types of objects grow in number, and who holds them? A census at a few moments, each only if affordable.

One is taken at the start, one as growth is first seen, one every ten minutes and one at the end. Once a line is a
suspect, or where memory grew by the end, the chains that hold what grew most are found: the type that grew most in
number, or the containers whose new entries take more. A census lifts RSS by half a megabyte, so there is none more, but
for the one after ten seconds where sampled bytes settle what RSS leaves open: imports are over then, and a leak too
slow to be seen as growth within a minute is counted from there. The workers of one server take turns: each touches
every object, and what all see at once one of them describes soon.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from memanalysis.capture.holders import find_growing_type, find_holders
from memanalysis.capture.objects import count_objects, read_object_census
from memanalysis.capture.sample import Clock
from memanalysis.units import format_bytes
from memanalysis.watcher.entry_growth import EntryGrowth
from memanalysis.watcher.overhead_budget import OverheadBudget

__all__ = ["ObjectGrowth"]

CENSUS_INTERVAL_S = 600.0
"""A census of the objects by type costs 0.3 to 1 µs an object."""

EARLY_CENSUS_S = 10.0

MAX_CENSUS_OBJECTS = 200_000
"""More objects than this are counted but not sorted by type: that would hold up the program for 100 ms and more."""

MAX_CENSUS_S = 0.2
"""The highest estimate of what a census takes."""

HOLDERS_S = 0.3
"""Holders of a growing type are looked for no longer than this."""

EVIDENCE_S = 2.0
"""Seconds that looking for holders may take before a restart, also on a busy machine: there is no later moment."""

MIN_HOLDERS_S = 0.05
"""Shorter than this is not worth it."""

MAX_CHAINS = 5

MIN_HELD_SHARE = 0.2
"""Where fewer of the new objects are held in one way, they are no heap that somebody fills: nothing is written."""

MIN_SHARE_OF_GROWTH = 0.2
"""Of the growth of resident memory: new entries of containers that take less do not explain it."""

MIN_SHARE_BESIDE_A_TYPE = 0.5
"""The same where a type grows in number: then that may be what leaks."""


class ObjectGrowth:
    """The objects of one run, by type.

    Parameters
    ----------
    top_types : int
        Rows of a census that are written, at most; with 0 none is taken.
    is_early : bool
        Take one after ten seconds too.
    budget : OverheadBudget
        Decides what can be afforded.
    clock : Clock
        When it is.
    write : callable
        Writes rows of ``objects`` without run, seq and time.
    record_event : callable
        Writes an event.
    read_rss_bytes : callable
        Returns resident memory, None where it is not known.
    """

    def __init__(
        self,
        *,
        top_types: int,
        is_early: bool,
        budget: OverheadBudget,
        clock: Clock,
        write: Callable[[list[dict[str, Any]]], None],
        record_event: Callable[..., None],
        read_rss_bytes: Callable[[], int | None],
    ) -> None:
        self._top_types = top_types
        self._next_pause_s = EARLY_CENSUS_S if is_early else CENSUS_INTERVAL_S
        self._budget = budget
        self._clock = clock
        self._write = write
        self._record_event = record_event
        self._entries = EntryGrowth(clock=clock, read_rss_bytes=read_rss_bytes)
        self._takes_entries = True
        self._first_census: dict[str, int] = {}
        self._at_start: dict[str, int] = {}
        self._is_growth_seen = self._is_explained = False
        self._next_census_at = float("-inf")
        self._census_s = 0.0
        self._blocks = 1
        self._waiting: Callable[[], None] | None = None
        self._turn_at: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be done as soon as it can be afforded."""
        return self._waiting is not None and (self._turn_at is None or self._clock.monotonic() >= self._turn_at)

    def read(self) -> list[dict[str, Any]]:
        """Read a census; empty where there are too many objects, or none is wanted."""
        self._next_census_at = self._clock.monotonic() + self._next_pause_s
        self._next_pause_s = CENSUS_INTERVAL_S
        started = time.thread_time()
        rows = [] if self._top_types == 0 or count_objects() > MAX_CENSUS_OBJECTS else read_object_census()
        self._census_s, self._blocks = time.thread_time() - started, max(1, sys.getallocatedblocks())
        self._budget.spend(self._census_s)
        return rows

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write the head of a census."""
        self._at_start = self._at_start or _count_types(rows)
        self._write(rows[: self._top_types])

    def reserve_last(self) -> None:
        """Set aside what the census at the end of the run takes."""
        self._budget.reserve(self._census_s)

    def note_growth(self) -> None:
        """Take the census that growth is counted from: what grew before it was seen may be imports and caches."""
        self._waiting = self._note_types

    def report_holders(self) -> None:
        """Describe who holds what grew most since growth was seen."""
        self._waiting = self._report_holders

    def report_now(self) -> None:
        """Take a census, and describe who holds what grew most: the program is about to be restarted.

        Where growth was not seen yet, it counts from the start of the run.
        """
        self._waiting = None
        self._first_census = self._first_census or self._at_start
        self._report_holders(EVIDENCE_S)

    def report_last(self, *, is_growing: bool) -> None:
        """Take the census at the end; where memory grew and that is not explained yet, describe who holds it."""
        self._waiting = None
        if self._first_census and not self._is_explained and (self._is_growth_seen or is_growing):
            self._report_holders()
        else:
            self.write(self.read())

    def check(self) -> None:
        """Do what is waiting, or a census that is due, if it can be afforded."""
        now = self._clock.monotonic()
        if self._waiting is None and now < self._next_census_at:
            return
        needed_s = self._estimate_census()
        walk_s = self._estimate_walk()
        self._takes_entries = needed_s + walk_s <= self._budget.max_expense_s
        if self._takes_entries:
            needed_s += walk_s
        if self._turn_at is None:
            self._turn_at = now + self._budget.wait_for_turn_s(needed_s)
        if now < self._turn_at:
            return
        if self._waiting == self._report_holders:
            needed_s = min(needed_s + HOLDERS_S, max(needed_s + MIN_HOLDERS_S, self._budget.max_expense_s))
        if needed_s > self._budget.max_expense_s:  # it never can
            self._waiting = self._turn_at = None
            self._next_census_at = now + CENSUS_INTERVAL_S
        elif needed_s <= self._budget.available_s():
            work, self._waiting, self._turn_at = self._waiting, None, None
            if work is None:
                census = self.read()
                if not self._first_census:
                    self._count_from(census)
                self.write(census)
            else:
                work()

    def _estimate_census(self) -> float:
        growth = sys.getallocatedblocks() / self._blocks
        return min(MAX_CENSUS_S, 1.25 * self._census_s * max(1.0, growth))

    def _estimate_walk(self) -> float:
        """Seconds of the walk over the containers, where one is made with the census."""
        if self._waiting is None and self._first_census:
            return 0.0
        return min(MAX_CENSUS_S, self._entries.estimate_s(self._estimate_census()))

    def _note_types(self) -> None:
        census = self.read()
        self._count_from(census)
        self._is_growth_seen, self._is_explained = True, False
        self.write(census)

    def _count_from(self, census: list[dict[str, Any]]) -> None:
        """Count growth from this census on, and from the entries of containers now."""
        self._first_census = _count_types(census)
        if census and self._takes_entries:
            started = time.thread_time()
            self._entries.note()
            self._budget.spend(time.thread_time() - started)

    def _report_holders(self, max_s: float | None = None) -> None:
        self._is_explained = True
        census = self.read()
        started = time.thread_time()
        if census:
            self._describe_holders(census, max_s or min(HOLDERS_S, max(MIN_HOLDERS_S, self._budget.available_s())))
        self._budget.spend(time.thread_time() - started)
        self.write(census)

    def _describe_holders(self, census: list[dict[str, Any]], seconds: float) -> None:
        """Describe who holds the entries of containers that take most, or else the type that grew most in number."""
        grown = find_growing_type(self._first_census, census)
        deadline = time.thread_time() + seconds
        if self._takes_entries:
            min_share = MIN_SHARE_OF_GROWTH if grown is None else MIN_SHARE_BESIDE_A_TYPE
            entries = self._entries.find(min_share=min_share, seconds=seconds)
            if entries and not entries[0].text.endswith(f" -> {grown}"):
                size = format_bytes(entries[0].size_bytes)
                message = f"The entries that came to containers take most, about {size}. Held by {entries[0].text}."
                self._write_holders(message, [(row.text, row.share) for row in entries])
                return
        if grown is None:
            return
        seconds = max(MIN_HOLDERS_S, deadline - time.thread_time())
        now = next(row["count"] for row in census if row["type"] == grown)
        chains = find_holders(grown, seconds=seconds, newest=now - self._first_census.get(grown, 0))
        if chains and chains[0].text != f"... -> {grown}":  # that names no holder
            message = f"{grown} is what grows most in number. Held by {chains[0].text}."
            self._write_holders(message, [(chain.text, chain.share) for chain in chains])

    def _write_holders(self, message: str, chains: list[tuple[str, float]]) -> None:
        if chains[0][1] >= MIN_HELD_SHARE:
            data = [{"chain": text, "share": round(share, 3)} for text, share in chains[:MAX_CHAINS]]
            self._record_event("holders", level="info", message=message, data=data)


def _count_types(census: list[dict[str, Any]]) -> dict[str, int]:
    return {row["type"]: row["count"] for row in census}
