"""What is in one tick? Everything that can be read in some 30 µs, and on a deep tick also what is expensive.

A sample is a row of the table ``samples`` without the columns that only the recorder knows (``run_id``, ``service``,
``seq``, ``label``). The object count is read on deep ticks alone. PSS, USS, threads, descriptors, the limit and the
free bytes of the C allocator are read on these and rarely between them.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any

from memanalysis.capture.objects import count_objects
from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes, read_limit_bytes
from memanalysis.capture.process_groups import GroupReader, count_siblings

__all__ = ["SYSTEM_CLOCK", "Clock", "SampleReader"]

LIMIT_GOOD_FOR_S = 30.0
"""The cgroup limit is a few file reads and hardly ever changes."""

BLOCK_COUNT_S_A_TICK = 20e-6
"""``sys.getallocatedblocks`` visits every pool (40 µs at a million blocks): where it takes longer than this, it is
called so seldom that a tick costs no more on average. Between, the number of blocks is unknown."""

_COUNTED = (
    "rss_bytes",
    "pss_bytes",
    "uss_bytes",
    "limit_bytes",
    "family_bytes",
    "container_bytes",
    "traced_bytes",
    "traced_peak_bytes",
    "live_allocations",
)
_REST = (
    "sampled_bytes",
    "object_count",
    "gc_collections",
    "gc_collected",
    "allocator_free_bytes",
    "tracer_bytes",
    "thread_count",
    "descriptor_count",
)
_UNKNOWN: dict[str, Any] = dict.fromkeys((*_COUNTED, *_REST))


MIN_RARE_PAUSE_S = 2.0
RARE_OVERHEAD = 0.001
"""What is read rarely takes this share of the time at most, with this pause between: so copies of a fork are seen."""

FEWER_WITH_TIME = 0.15
"""The workers of one server come to share that share: a pause grows up to this part of the time since the start, so
that eight readings still lie in the three quarters of a run that a verdict judges, however long it is."""


MIN_GROUP_PAUSE_S = 1.0
"""Family and container are read this often at most."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks of a recorder: ``monotonic`` for lengths of time, ``wall`` for dates (epoch seconds)."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


SYSTEM_CLOCK = Clock(time.monotonic, time.time)


class SampleReader:
    """Read samples of this process, or of another one from outside.

    Parameters
    ----------
    pid : int, optional
        Another process: only what the system shows about it is known.
    clock : Clock
        Where time comes from; ``elapsed_s`` counts from the making of the reader.
    groups : GroupReader, optional
        Reads the family and the container now and then; without it they are unknown.

    Attributes
    ----------
    n_siblings : int
        Workers of one server that this process is one of, as they were counted last; 1 where it is no worker.
    rare_s : float
        Processor seconds of the last reading that went into what is read rarely.
    """

    def __init__(
        self, *, pid: int | None = None, clock: Clock = SYSTEM_CLOCK, groups: GroupReader | None = None
    ) -> None:
        self.own_traced_bytes = 0
        self._pid = pid
        self._clock = clock
        self._process = ProcessReader(pid)
        self._started = clock.monotonic()
        self._limit_bytes: int | None = None
        self._limit_good_until = float("-inf")
        self._block_count_s = BLOCK_COUNT_S_A_TICK / 2
        self._ticks_to_block_count = 0
        self._rare_due = float("-inf")
        self._groups = groups
        self._groups_due = float("-inf")
        self.n_siblings = 1
        self.rare_s = 0.0

    def read(self, *, deep: bool = False) -> dict[str, Any]:
        """Read one sample; ``deep`` adds what costs milliseconds."""
        started = perf_counter()
        clock = self._clock
        now = clock.monotonic()
        sample = _UNKNOWN.copy()
        sample["timestamp"] = clock.wall()
        sample["elapsed_s"] = round((now - self._started) * 1e6) / 1e6  # few digits are written in half the time
        sample["rss_bytes"] = self._process.read_rss_bytes()
        self.rare_s = 0.0
        if deep or now >= self._rare_due:
            self._read_rare(sample, now)
        sample["limit_bytes"] = self._limit_bytes
        if self._groups is not None and now >= self._groups_due:
            started_s = thread_time()
            sample["family_bytes"], sample["container_bytes"] = self._groups.read()
            taken_s = thread_time() - started_s
            pause_s = taken_s * count_siblings(self._pid) / self._groups.share  # workers of one server share the share
            self._groups_due = now + max(MIN_GROUP_PAUSE_S, pause_s)
        if self._pid is None:
            self._read_interpreter(sample, deep=deep)
        sample["capture_s"] = perf_counter() - started
        return sample

    def close(self) -> None:
        """Close what is held open; a later reading opens it again."""
        self._process.close()

    def _read_rare(self, sample: dict[str, Any], now: float) -> None:
        """Read what may take milliseconds, the next time after a pause that this takes a thousandth of, or less."""
        started = thread_time()  # on a busy machine the clock would put the next reading off for long
        if now >= self._limit_good_until:
            self._limit_bytes = read_limit_bytes(self._pid)
            self._limit_good_until = now + LIMIT_GOOD_FOR_S
        process = self._process
        sample["pss_bytes"], sample["uss_bytes"] = process.read_pss_and_uss_bytes()
        sample["thread_count"] = process.read_thread_count()
        sample["descriptor_count"] = process.read_descriptor_count()
        if self._pid is None:
            sample["allocator_free_bytes"] = read_allocator_free_bytes()
        self.n_siblings = count_siblings(self._pid)
        self.rare_s = thread_time() - started
        pause_s = self.rare_s / RARE_OVERHEAD
        shared_s = min(pause_s * self.n_siblings, FEWER_WITH_TIME * (now - self._started))
        self._rare_due = now + max(MIN_RARE_PAUSE_S, pause_s, shared_s)

    def _read_interpreter(self, sample: dict[str, Any], *, deep: bool) -> None:
        if tracemalloc.is_tracing():
            sample["traced_bytes"], sample["traced_peak_bytes"] = tracemalloc.get_traced_memory()
            sample["tracer_bytes"] = tracemalloc.get_tracemalloc_memory() + self.own_traced_bytes
        young, middle, old = gc.get_stats()
        sample["gc_collections"] = young["collections"] + middle["collections"] + old["collections"]
        sample["gc_collected"] = young["collected"] + middle["collected"] + old["collected"]
        if deep or self._ticks_to_block_count <= 0:
            started = perf_counter()
            sample["live_allocations"] = sys.getallocatedblocks()
            # one count that was interrupted must not put off the next ones for long
            self._block_count_s = min(perf_counter() - started, 2 * self._block_count_s)
            self._ticks_to_block_count = int(self._block_count_s / BLOCK_COUNT_S_A_TICK)
        else:
            self._ticks_to_block_count -= 1
        if deep:
            sample["object_count"] = count_objects()
