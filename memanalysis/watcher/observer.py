"""What happens in one tick? One run of one process: its ticks, snapshots and events, written as they come.

Nothing here knows of threads, and time is handed in: the recorder decides when, the observer does it.
"""

import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memanalysis.capture.holders import find_growing_type, find_holders
from memanalysis.capture.objects import count_objects, read_object_census
from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.capture.snapshot import SiteRows, read_sites
from memanalysis.capture.tracing import TOP_SITES, TracemallocIntegration
from memanalysis.ledger.writer import LedgerWriter
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.units import MIB, mb_from_bytes
from memanalysis.watcher.governor import CostGovernor
from memanalysis.watcher.live import LiveRun
from memanalysis.watcher.settings import Settings
from memanalysis.watcher.windows import TracingWindows

if TYPE_CHECKING:
    from memanalysis.watcher.guard import PolicyGuard

__all__ = ["Observer"]

LARGE_TRACER_BYTES = 8 * MIB
"""From about 150,000 traced blocks on a full snapshot would stop the program for longer than a fork does."""

CENSUS_INTERVAL_S = 600.0
"""A census of the objects by type costs 0.3 to 1 µs an object: at the start, at the end, and every ten minutes."""

MAX_CENSUS_OBJECTS = 200_000
"""More objects than this are counted but not sorted by type: that would hold up the program for 100 ms and more."""


MEASURED_EVERY = 20
"""One tick in so many is measured: asking for the processor time of a thread takes as long as a third of a tick."""

HOLDERS_S = 0.3
"""What holds a growing type is looked for no longer than this, once the suspects are known."""

MOST_CHAINS = 5

LEAST_HELD = 0.2
"""Where fewer of the new objects are held in one way, they are no heap that somebody fills: nothing is said."""

MAX_REMEMBERED_SITES = 5_000
"""Sites whose first size is remembered, the biggest: half a megabyte. Growth of the others counts from nothing."""


class Observer:
    """One run of one process, from its first tick to its last.

    Parameters
    ----------
    settings : Settings
        What is read and kept.
    run : row of ``runs``
        Written first.
    reader : SampleReader
        Where samples come from.
    clock : Clock
        When it is.
    guard : PolicyGuard, optional
        Looks at each sample and acts on the policy.
    wait : callable, optional
        Waits so many seconds while a tracing window is open; True when watching is to end. Without it none is opened.
    live : LiveRun, optional
        Given each sample, to be judged when somebody asks.

    Attributes
    ----------
    pace : float
        By how much intervals are longer than asked for, to stay under ``max_overhead``.

    Raises
    ------
    LedgerError
        The ledger cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        run: Row,
        reader: SampleReader,
        clock: Clock,
        guard: "PolicyGuard | None" = None,
        wait: Callable[[float], bool] | None = None,
        live: LiveRun | None = None,
    ) -> None:
        self.run_id: str = run["run_id"]
        self.ticks = 0
        self.n_snapshots = 0
        self.last: Row = {}
        self.snapshots: deque[MemorySnapshot] = deque(maxlen=settings.kept_snapshots)
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._guard = guard
        self._live = live
        self._label: str | None = None
        self._next_snapshot_at = float("-inf")
        self._next_census_at = float("-inf")
        self._first_sizes: Mapping[int, int] = {}
        self._first_census: dict[str, int] = {}
        self._how_snapshots: tuple[bool, str | None] | None = None
        self.pace = 1.0
        # absolute: the program may change its working folder, and files are opened as they are needed
        self._writer = None if settings.ledger is None else _open_writer(settings, settings.ledger, run)
        self._uploads = self._writer  # outlasts the writing: the last upload ends after it
        self._tracer = TracemallocIntegration(settings.trace_limit)
        self._governor = CostGovernor(settings.max_overhead, clock=clock)
        self._windows: TracingWindows | None = None
        if settings.trace == "auto" and wait is not None:
            self._windows = TracingWindows(
                trace_limit=settings.trace_limit,
                top_sites=settings.top_sites,
                governor=self._governor,
                clock=clock,
                wait=wait,
                record_event=self.record_event,
                begin=self._note_types,
            )

    def prepare(self) -> None:
        """Load what the policy needs; to be called before `begin`, since under tracing it takes long."""
        if self._guard is not None:
            self._guard.begin(self.record_event)

    def begin(self) -> None:
        """Start tracing if that is wanted, and take the first sample.

        What is loaded and counted just before tracing starts costs a tenth, and is not traced itself.
        """
        read_allocator_free_bytes()
        census = self._read_census()
        if self._windows is not None and tracemalloc.is_tracing():
            self._windows = None  # somebody traces already: that is joined, and costs nothing more
            self._tracer.start()
        elif self._settings.trace == "always":
            self._tracer.start()
        self._take(snapshot=self._settings.snapshot_interval_s is not None)
        self._write_census(census)

    def tick(self) -> None:
        """Take one sample, and a full snapshot when one is due."""
        measured = self.ticks % MEASURED_EVERY == 0
        started = time.thread_time() if measured else 0.0
        now = self._clock.monotonic()
        due = self._settings.snapshot_interval_s is not None and now >= self._next_snapshot_at
        self._take(snapshot=due)
        if now >= self._next_census_at:
            self._write_census(self._read_census())
        elif measured and not due:
            self._choose_pace(time.thread_time() - started)
        if self._windows is not None:
            rows = self._windows.look(self.last, self._reader.read)
            if rows:
                self._append("sites", [row | self._stamp() for row in rows])
                if self._windows.has_concluded:
                    self._tell_holders()

    def take_snapshot(self) -> MemorySnapshot:
        """Take one sample and a full snapshot now."""
        self._take(snapshot=True)
        return self.snapshots[-1]

    def end(self) -> None:
        """Take the last sample, end tracing if it was started here, and take the last census."""
        self._take(snapshot=self._settings.snapshot_interval_s is not None)
        self._tracer.stop()
        self._write_census(self._read_census())

    @property
    def upload_errors(self) -> int:
        """Uploads to the ledger's URL that failed during this run."""
        return 0 if self._uploads is None else self._uploads.upload_errors

    @property
    def upload_error(self) -> str | None:
        """What the last upload failed of; None where it succeeded."""
        return None if self._uploads is None else self._uploads.upload_error

    def mark(self, text: str) -> None:
        """Write a mark, and label the next sample with it."""
        self._label = text
        self.record_event("mark", message=text)

    def record_event(
        self, kind: str, *, level: str | None = None, message: str | None = None, data: Any | None = None
    ) -> None:
        """Write one row of ``events``, now."""
        row = {"timestamp": self._clock.wall(), "kind": kind, "level": level, "message": message, "data": data}
        self._append("events", [row])

    def close(self, *, seal: bool) -> None:
        """End the run: end tracing if it was started here, and close the ledger.

        Parameters
        ----------
        seal : bool
            Turn the files into Parquet. Not done where pyarrow would have to be loaded under somebody else's tracing,
            which would take a minute.

        Raises
        ------
        LedgerError
            The ledger refuses the last rows.
        """
        self.release()
        writer, self._writer = self._writer, None  # a tick that is under way writes no more
        if writer is not None:
            can_seal = "pyarrow" in sys.modules or not tracemalloc.is_tracing()
            writer.close(ended=self._clock.wall(), seal=seal and can_seal)

    def release(self) -> None:
        """Let go of the process: tracing and descriptors, but not the ledger."""
        self._tracer.stop()
        if self._windows is not None:
            self._windows.release()
        self._reader.close()

    def _take(self, *, snapshot: bool) -> None:
        started = time.perf_counter()
        cpu_started = time.thread_time() if snapshot else 0.0
        sample = self._reader.read(deep=snapshot)
        sample["seq"] = self.ticks
        sample["label"], self._label = self._label, None
        if snapshot:
            self._write_snapshot(sample)
            cost = time.thread_time() - cpu_started
            pause = max(self._settings.snapshot_interval_s or 0.0, cost / self._settings.max_overhead)
            self._next_snapshot_at = self._clock.monotonic() + pause
        sample["capture_s"] = round((time.perf_counter() - started) * 1e7) / 1e7
        self.ticks += 1
        self.last = sample
        if self._live is not None:
            self._live.add(sample)
        left_out = self._settings.left_out
        row = {column: value for column, value in sample.items() if column not in left_out} if left_out else sample
        self._append("samples", [row])
        if self._guard is not None:
            self._guard.look(sample, self.snapshots[-1] if snapshot else None, self.record_event)

    def _write_snapshot(self, sample: dict[str, Any]) -> None:
        stats = None
        if tracemalloc.is_tracing() and self._windows is None:
            rows = self._read_sites()
            self._reader.own_traced_bytes = rows.own_bytes
            stamp = {"seq": sample["seq"], "timestamp": sample["timestamp"]}
            self._append("sites", [row | stamp for row in rows])
            top = [
                {"file": row["file"], "line": row["line"], "size_mb": mb_from_bytes(row["size_bytes"])}
                | {"count": row["live_allocations"]}
                for row in rows[:TOP_SITES]
            ]
            stats = {"top": top, "tracer_mb": mb_from_bytes(sample["tracer_bytes"] or 0)}
        self.n_snapshots += 1
        self.snapshots.append(_make_snapshot(sample, stats))

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
        if how != self._how_snapshots and (self._how_snapshots is not None or how != (False, None)):
            where = "in a forked copy of the process" if rows.forked else "in the process"
            why = f": {rows.why_not_forked}" if rows.why_not_forked else ""
            data = {"forked": rows.forked, "pause_s": round(rows.pause_s, 4)}
            self.record_event("snapshot", level="info", message=f"Full snapshots are read {where}{why}.", data=data)
        self._how_snapshots = how
        return rows

    def _choose_pace(self, tick_s: float) -> None:
        """Widen the intervals where ticks cost too much, and tell of it when they change by half or more."""
        pace = self._governor.choose_pace(tick_s, self._settings.interval_s)
        if not self.pace / 1.5 < pace < self.pace * 1.5 or (pace == 1.0 != self.pace):
            self.pace = pace
            interval_s = pace * self._settings.interval_s
            message = (
                f"A sample every {interval_s:.3g} s, to stay under {self._settings.max_overhead:.0%} of a processor."
            )
            self.record_event("pace", level="info", message=message, data={"interval_s": interval_s})

    def _stamp(self) -> dict[str, Any]:
        return {"seq": self.last["seq"], "timestamp": self.last["timestamp"]}

    def _note_types(self) -> None:
        """Count the objects by type as growth is first seen: what grew before that may be imports and caches."""
        started = time.thread_time()
        census = self._read_census()
        self._first_census = {row["type"]: row["count"] for row in census}
        self._write_census(census)
        self._governor.pay(time.thread_time() - started)

    def _tell_holders(self) -> None:
        """Say who holds the type that grew most since growth was seen, where counting objects is not too dear."""
        started = time.thread_time()
        census = self._read_census()
        grown = find_growing_type(self._first_census, census)
        if grown is not None:
            now = next(row["count"] for row in census if row["type"] == grown)
            chains = find_holders(grown, seconds=HOLDERS_S, newest=now - self._first_census.get(grown, 0))
            if chains and chains[0].share >= LEAST_HELD:
                data = [{"chain": chain.text, "share": round(chain.share, 3)} for chain in chains[:MOST_CHAINS]]
                message = f"{grown} is what grows most in number. Held by {chains[0].text}."
                self.record_event("holders", level="info", message=message, data=data)
        self._write_census(census)
        self._governor.pay(time.thread_time() - started)

    def _read_census(self) -> list[dict[str, Any]]:
        self._next_census_at = self._clock.monotonic() + CENSUS_INTERVAL_S
        if self._settings.top_types == 0 or count_objects() > MAX_CENSUS_OBJECTS:
            return []
        return read_object_census()

    def _write_census(self, rows: list[dict[str, Any]]) -> None:
        """Write the head of a census as of the last sample."""
        stamp = self._stamp()
        self._append("objects", [row | stamp for row in rows[: self._settings.top_types]])

    def _append(self, table: str, rows: list[Row]) -> None:
        if self._writer is not None:
            self._writer.append(table, rows)


def _open_writer(settings: Settings, ledger: Path | str, run: Row) -> LedgerWriter:
    """Open the ledger; where the program goes to another folder later, the ledger stays where it is."""
    place = ledger.absolute() if isinstance(ledger, Path) else ledger
    return LedgerWriter(place, run=run, retention=settings.retention)


def _make_snapshot(sample: Row, stats: dict[str, Any] | None) -> MemorySnapshot:
    """Make the record of the contract from a deep sample; without tracing its MB are those of the resident memory."""
    current = sample["rss_bytes"] if sample["traced_bytes"] is None else sample["traced_bytes"]
    peak = current if sample["traced_peak_bytes"] is None else sample["traced_peak_bytes"]
    rss = sample["rss_bytes"]
    return MemorySnapshot(
        timestamp=sample["timestamp"],
        current_mb=float("nan") if current is None else mb_from_bytes(current),
        peak_mb=float("nan") if peak is None else mb_from_bytes(peak),
        object_count=sample["object_count"] or 0,
        tracemalloc_stats=stats,
        rss_mb=None if rss is None else mb_from_bytes(rss),
        live_allocations=sample["live_allocations"],
        gc_collections=sample["gc_collections"],
        elapsed_s=sample["elapsed_s"],
    )
