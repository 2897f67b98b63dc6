"""What happens in one tick? One run of one process: its ticks, snapshots and events, written as they come.

Nothing here knows of threads, and time is handed in: the recorder decides when, the observer does it.
"""

import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from memanalysis.capture.fatal_signals import ArmedSignals, arm_signals
from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.capture.snapshot import SiteRows, read_sites
from memanalysis.capture.tracing import TracingUse
from memanalysis.ledger.maintenance.note_ends import MAX_RUNS, note_ends
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.units import MIB
from memanalysis.watcher.imported_packages import ImportedPackages
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.object_growth import ObjectGrowth
from memanalysis.watcher.overhead_budget import OverheadBudget
from memanalysis.watcher.run_writer import open_run_writer
from memanalysis.watcher.sample_records import make_snapshot, make_trace_stats, take_tracer_off
from memanalysis.watcher.sampled_sites import SampledSites
from memanalysis.watcher.settings import Settings
from memanalysis.watcher.trace_engine import EngineName
from memanalysis.watcher.windows import TracingWindows

if TYPE_CHECKING:
    from memanalysis.watcher.policy_runtime import PolicyRuntime

__all__ = ["Observer"]

LARGE_TRACER_BYTES = 8 * MIB
"""From about 150,000 traced blocks on a full snapshot would stop the program for longer than a fork does."""

MEASURED_EVERY = 20
"""One tick in this many is measured: asking for the processor time of a thread takes as long as a third of a tick."""

SEALING_S = 0.4
"""Set aside for sealing the files at the end: most of it is the loading of pyarrow, in a process of its own."""

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
    policy_runtime : PolicyRuntime, optional
        Holds each sample against the policy and acts.
    engine : str
        What finds the lines that hold memory; with ``windows`` `check` must be called between ticks.
    live : LiveRun, optional
        Given each sample and event, to be judged and shown when somebody asks.

    Attributes
    ----------
    pace : float
        By how much intervals are longer than asked for, to stay under ``max_overhead``.
    sampled : SampledSites or None
        The sampler of this run, where that is its engine.

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
        policy_runtime: "PolicyRuntime | None" = None,
        engine: EngineName = "full",
        live: LiveRun | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.run_id: str = run["run_id"]
        self.ticks = 0
        self.n_snapshots = 0
        self.last: Row = {}
        self.snapshots: deque[MemorySnapshot] = deque(maxlen=settings.kept_snapshots)
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._policy_runtime = policy_runtime
        self._live = live
        self.running_label = self.label = cast("str | None", None)  # the first of samples that no mark labels
        self._has_last = False
        self._next_snapshot_at = float("-inf")
        self._first_sizes: Mapping[int, int] = {}
        self._how_snapshots: tuple[bool, str | None] | None = None
        self.pace = 1.0
        self._writer = open_run_writer(settings, run, report)
        self._uploads = self._writer  # outlasts the writing: the last upload ends after it
        self._signals: ArmedSignals | None = None
        self._engine = engine
        self._tracer = TracingUse(settings.trace_limit)
        self._budget = OverheadBudget(settings.max_overhead, clock=clock)
        self._objects = ObjectGrowth(
            top_types=settings.top_types,
            is_early=engine == "sampled",
            budget=self._budget,
            clock=clock,
            write=lambda rows: self._append_stamped("objects", rows),
            record_event=self.record_event,
        )
        self._packages = ImportedPackages(
            run.get("packages") or {}, budget=self._budget, clock=clock, write=self._update_packages
        )
        self._windows: TracingWindows | None = None
        if engine == "windows":
            self._windows = TracingWindows(
                trace_limit=settings.trace_limit,
                top_sites=settings.top_sites,
                budget=self._budget,
                clock=clock,
                read_sample=reader.read,
                record_event=self.record_event,
                write_sites=lambda rows: self._append_stamped("sites", rows),
                begin=self._objects.note_growth,
                conclude=self._objects.report_holders,
            )
        self.sampled: SampledSites | None = None
        if engine == "sampled":
            self.sampled = SampledSites(
                max_frames=settings.trace_limit,
                top_sites=settings.top_sites,
                clock=clock,
                record_event=self.record_event,
                write_sites=lambda rows: self._append_stamped("sites", rows),
                begin=self._objects.note_growth,
                conclude=self._objects.report_holders,
            )

    def arm_signals(self) -> None:
        """Have the signal that ends this process noted, until `close`."""
        place = None if self._writer is None else self._writer.prepare_end()
        self._signals = None if place is None else arm_signals(*place)

    def prepare(self) -> None:
        """Note how dead runs ended, and load what the policy needs; before `begin`: under tracing it takes long."""
        if self._writer is not None:
            note_ends(self._writer.path, service=self._settings.service, most=MAX_RUNS)
        if self._policy_runtime is not None and self._live is not None:
            self._policy_runtime.begin(self.record_event, self._live, self.keep_evidence)

    def begin(self) -> None:
        """Start tracing if that is wanted, and take the first sample.

        What is loaded and counted just before tracing starts costs a tenth, and is not traced itself.
        """
        started = time.thread_time()
        read_allocator_free_bytes()
        self._budget.spend(time.thread_time() - started)
        census = self._objects.read()
        if self._engine == "full":
            self._tracer.start()
        elif self.sampled is not None:
            self.sampled.start()
        started = time.thread_time()
        self._take(snapshot=self._settings.snapshot_interval_s is not None)
        self._budget.spend(time.thread_time() - started)
        self._objects.write(census)
        self._objects.reserve_last()
        if self._settings.seal and self._writer is not None:
            self._budget.reserve(SEALING_S)

    def tick(self) -> None:
        """Take one sample, and a full snapshot when one is due; none after the last."""
        if self._has_last:
            return
        measured = self.ticks % MEASURED_EVERY == 0
        due = self._settings.snapshot_interval_s is not None and self._clock.monotonic() >= self._next_snapshot_at
        started = time.thread_time() if measured or due else None
        self._take(snapshot=due)
        if self._windows is not None:
            self._windows.on_sample(self.last)
        if started is None:
            self._budget.spend(self._budget.tick_s)
            return
        tick_s = time.thread_time() - started
        self._budget.spend(tick_s)
        if not due:
            self._choose_pace(tick_s)

    def check(self) -> float | None:
        """Do what is due between two ticks: what waits for the overhead budget, and tracing windows.

        Returns
        -------
        float or None
            When to check again, of the monotonic clock; None when the next tick will do.
        """
        windows = self._windows
        if windows is not None and windows.is_open:
            next_at = windows.check()
            if windows.is_open:
                return next_at
        if self.sampled is not None:
            started = time.thread_time()
            self.sampled.check()
            self._budget.spend(time.thread_time() - started)
        self._objects.check()
        self._packages.check()
        return None if windows is None or self._objects.is_waiting else windows.check()

    def take_snapshot(self) -> MemorySnapshot:
        """Take one sample and a full snapshot now."""
        self._take(snapshot=True)
        return self.snapshots[-1]

    def take_last(self) -> None:
        """Take the last sample, table and census, and end tracing if it was started here."""
        if self._windows is not None:
            self._windows.finish()
            self._objects.check()
        self._take(snapshot=self._settings.snapshot_interval_s is not None)
        if self.sampled is not None:  # after the sample, whose number the table has: one table a number
            self.sampled.write_table()
        self._tracer.stop()
        self._objects.report_last(is_growing=self._live is not None and self._live.has_grown())
        self._has_last = True
        self._packages.finish()

    def keep_evidence(self) -> None:
        """Write what the program holds, by line and by type, and who holds it, before it is restarted."""
        if self._windows is not None:
            self._windows.finish()
        self._take(snapshot=self._settings.snapshot_interval_s is not None, enforced=False)
        if self.sampled is not None:
            self.sampled.write_table()
        self._objects.report_now()

    def end(self) -> None:
        """Take what is last, unless it was taken as the main program ended; `close` ends the sampling."""
        if not self._has_last:
            self.take_last()

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
        self.label = text
        self.record_event("mark", message=text)

    def record_event(
        self, kind: str, *, level: str | None = None, message: str | None = None, data: Any | None = None
    ) -> None:
        """Write one row of ``events``, now."""
        row = {"timestamp": self._clock.wall(), "kind": kind, "level": level, "message": message, "data": data}
        if self._live is not None:
            self._live.add_event(row)
        self._append("events", [row])
        if self._policy_runtime is not None:
            self._policy_runtime.alerts.on_event(kind, message, data)

    def close(self, *, seal: bool, ending: Mapping[str, Any] | None = None) -> None:
        """End the run: end tracing if it was started here, and close the ledger.

        Parameters
        ----------
        seal : bool
            Turn the files into Parquet. Not done where pyarrow would have to be loaded under somebody else's tracing,
            which would take a minute.
        ending : mapping, optional
            How the run ended: the cell of ``runs``.

        Raises
        ------
        LedgerError
            The ledger refuses the last rows.
        """
        self.release()
        signals, self._signals = self._signals, None
        if signals is not None:
            signals.disarm()
        writer, self._writer = self._writer, None  # a tick that is under way writes no more
        if writer is not None:
            can_seal = "pyarrow" in sys.modules or not tracemalloc.is_tracing()
            writer.close(ended=self._clock.wall(), ending=ending, seal=seal and can_seal)

    def release(self) -> None:
        """Let go of the process: tracing and descriptors, but not the ledger."""
        self._tracer.stop()
        if self._windows is not None:
            self._windows.release()
        if self.sampled is not None:
            self.sampled.release()
        self._reader.close()

    def _take(self, *, snapshot: bool, enforced: bool = True) -> None:
        started = time.perf_counter()
        cpu_started = time.thread_time() if snapshot else 0.0
        sample = self._reader.read(deep=snapshot)
        sample["seq"] = self.ticks
        sample["label"], self.label = self.label or self.running_label, None
        if self._windows is not None and self._windows.is_open:
            take_tracer_off(sample)
        if self.sampled is not None:
            self.sampled.on_sample(sample)
        if snapshot:
            self._write_snapshot(sample)
            cost = time.thread_time() - cpu_started
            pause = max(self._settings.snapshot_interval_s or 0.0, cost / self._settings.max_overhead)
            self._next_snapshot_at = self._clock.monotonic() + pause
        sample["capture_s"] = round((time.perf_counter() - started) * 1e7) / 1e7
        self.last = sample
        if self._live is not None:
            self._live.add(sample)
        left_out = self._settings.left_out
        row = {column: value for column, value in sample.items() if column not in left_out} if left_out else sample
        try:
            self._append("samples", [row])
        finally:
            self.ticks += 1  # after the row: who reads the number may rely on the ledger to have as many
        if self._policy_runtime is not None and enforced:
            self._policy_runtime.on_sample(sample, self.record_event)

    def _write_snapshot(self, sample: dict[str, Any]) -> None:
        stats = None
        if tracemalloc.is_tracing() and self._windows is None and self.sampled is None:
            rows = self._read_sites()
            self._reader.own_traced_bytes = rows.own_bytes
            stamp = {"seq": sample["seq"], "timestamp": sample["timestamp"]}
            self._append("sites", [row | stamp for row in rows])
            stats = make_trace_stats(rows, sample)
        self.n_snapshots += 1
        self.snapshots.append(make_snapshot(sample, stats))

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
        """Widen the intervals where ticks cost too much, and record it when they change by half or more."""
        pace = self._budget.choose_pace(tick_s, self._settings.interval_s)
        if not self.pace / 1.5 < pace < self.pace * 1.5 or (pace == 1.0 != self.pace):
            self.pace = pace
            interval_s = pace * self._settings.interval_s
            message = (
                f"A sample every {interval_s:.3g} s, to stay under {self._settings.max_overhead:.0%} of a processor."
            )
            self.record_event("pace", level="info", message=message, data={"interval_s": interval_s})

    def _append_stamped(self, table: str, rows: Sequence[Row]) -> None:
        """Write rows as of the last sample."""
        stamp = {"seq": self.last["seq"], "timestamp": self.last["timestamp"]}
        self._append(table, [{**row, **stamp} for row in rows])

    def _update_packages(self, packages: dict[str, str]) -> None:
        if self._writer is not None:
            self._writer.update_run({"packages": packages})
            if (signals := self._signals) is not None:  # a signal writes the row as it is now
                self.arm_signals()
                signals.disarm()

    def _append(self, table: str, rows: list[Row]) -> None:
        if self._writer is not None:
            self._writer.append(table, rows)
