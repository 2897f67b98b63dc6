"""When is a full snapshot due, and what does it read? Deep values of the process, and under tracing its sites.

Tracing that is on during the whole run is begun and ended here. Windows and the sampler write the sites themselves.
"""

import tracemalloc
from collections import deque
from collections.abc import Mapping

from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.capture.snapshot import SiteRows, read_sites
from memanalysis.capture.tracing import TracingUse
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.units import MIB
from memanalysis.watcher.run_output import RunOutput
from memanalysis.watcher.sample_records import make_snapshot, make_trace_stats
from memanalysis.watcher.settings import Settings

__all__ = ["FullSnapshots"]

LARGE_TRACER_BYTES = 8 * MIB
"""From about 150,000 traced blocks on a full snapshot would stop the program for longer than a fork does."""

EARLY_SNAPSHOTS_S = (10.0, 30.0)
"""Seconds since tracing began of two snapshots before the interval is over: a program that dies young has a table."""

MAX_REMEMBERED_SITES = 5_000
"""Sites whose first size is remembered, the biggest: half a megabyte. Growth of the others counts from nothing."""


class FullSnapshots:
    """The full snapshots of one run.

    Parameters
    ----------
    settings : Settings
        How often they are taken, how they are read, and how many are kept.
    has_sites : bool
        Whether their sites are written here.
    reader : SampleReader
        Gets how much of what is traced is memanalysis' own.
    clock : Clock
        When it is.
    output : RunOutput
        Where sites and events go.

    Attributes
    ----------
    kept : deque of MemorySnapshot
        The last ones, the oldest first.
    count : int
        All that were taken.
    """

    def __init__(
        self, settings: Settings, *, has_sites: bool, reader: SampleReader, clock: Clock, output: RunOutput
    ) -> None:
        self.kept: deque[MemorySnapshot] = deque(maxlen=settings.kept_snapshots)
        self.count = 0
        self._settings = settings
        self._has_sites = has_sites
        self._reader = reader
        self._clock = clock
        self._output = output
        self._tracer = TracingUse(settings.trace_limit)
        self._next_at = float("-inf")
        self._early_at: list[float] = []
        self._first_sizes: Mapping[int, int] = {}
        self._how: tuple[bool, str | None] | None = None

    @property
    def are_wanted(self) -> bool:
        """Whether they are taken in intervals, and at the begin and the end."""
        return self._settings.snapshot_interval_s is not None

    def is_due(self) -> bool:
        """Return whether the next one is due."""
        return self.are_wanted and self._clock.monotonic() >= self._next_at

    def start_tracing(self) -> None:
        """Trace from now on, or join tracing that runs already."""
        self._tracer.start()
        now = self._clock.monotonic()
        self._early_at = [now + seconds for seconds in EARLY_SNAPSHOTS_S]

    def stop_tracing(self) -> None:
        """End tracing, if it was started here."""
        self._tracer.stop()

    def add(self, sample: Row) -> None:
        """Make one of a deep sample, and write its sites."""
        stats = None
        if tracemalloc.is_tracing() and self._has_sites:
            rows = self._read_sites()
            self._reader.own_traced_bytes = rows.own_bytes
            self._output.write_rows("sites", rows, sample=sample)
            stats = make_trace_stats(rows, sample)
        self.count += 1
        self.kept.append(make_snapshot(sample, stats))

    def rest(self, cost_s: float, *, at_least_s: float = 0.0) -> None:
        """Have the next one wait for the interval or an early moment, but for as long as the overhead budget needs."""
        now = self._clock.monotonic()
        self._early_at = [moment for moment in self._early_at if moment > now]
        wanted = min([now + (self._settings.snapshot_interval_s or 0.0), *self._early_at])
        self._next_at = max(wanted, now + cost_s / self._settings.max_overhead, now + at_least_s)

    def _read_sites(self) -> SiteRows:
        fork = self._settings.fork
        rows = read_sites(
            top=self._settings.top_sites,
            fork=tracemalloc.get_tracemalloc_memory() >= LARGE_TRACER_BYTES if fork is None else fork,
            first_sizes=self._first_sizes,
            remember=0 if self._first_sizes else MAX_REMEMBERED_SITES,
        )
        self._first_sizes = self._first_sizes or rows.sizes
        how = rows.forked, rows.why_not_forked
        if how != self._how and (self._how is not None or how != (False, None)):
            where = "in a forked copy of the process" if rows.forked else "in the process"
            why = f": {rows.why_not_forked}" if rows.why_not_forked else ""
            data = {"forked": rows.forked, "pause_s": round(rows.pause_s, 4)}
            message = f"Full snapshots are read {where}{why}."
            self._output.record_event("snapshot", level="info", message=message, data=data)
        self._how = how
        return rows
