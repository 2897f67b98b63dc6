"""What happens in one tick? One run of one process: its ticks, snapshots and events, written as they come.

Nothing here knows of threads, and time is handed in: the recorder decides when, the observer does it.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.watcher.full_snapshots import FullSnapshots
from memanalysis.watcher.growing_lines import GrowingLine, find_growing_lines
from memanalysis.watcher.imported_packages import ImportedPackages
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.object_growth import ObjectGrowth
from memanalysis.watcher.overhead_budget import SERVER_TICKS_SHARE, OverheadBudget
from memanalysis.watcher.run_output import RunOutput
from memanalysis.watcher.sample_records import take_tracer_off
from memanalysis.watcher.sampled_sites import SampledSites
from memanalysis.watcher.settings import Settings
from memanalysis.watcher.trace_engine import EngineName
from memanalysis.watcher.windows import TracingWindows

if TYPE_CHECKING:
    from memanalysis.watcher.policy_runtime import PolicyRuntime

__all__ = ["Observer"]

MEASURED_EVERY = 20
"""One tick in this many is measured: asking for the processor time of a thread takes as long as a third of a tick. Each
is where workers share what ticks may take: theirs are few, and cost more, as each finds the processor's caches cold."""

SEALING_S = 0.4
"""Set aside for sealing the files at the end: most of it is the loading of pyarrow, in a process of its own."""


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
        self.pace = 1.0
        self.running_label = self.label = cast("str | None", None)  # the first of samples that no mark labels
        self._settings = settings
        self._reader = reader
        self._policy_runtime = policy_runtime
        self._live = live
        self._traces_fully = engine == "full"
        self._has_last = False
        self._output = output = RunOutput(
            settings, run, clock=clock, live=live, policy_runtime=policy_runtime, report=report
        )
        self.record_event = output.record_event
        self._snapshots = FullSnapshots(
            settings, has_sites=engine in ("full", "off"), reader=reader, clock=clock, output=output
        )
        self._budget = OverheadBudget(settings.max_overhead, clock=clock)
        self._objects = ObjectGrowth(
            top_types=settings.top_types,
            is_early=engine == "sampled",
            budget=self._budget,
            clock=clock,
            write=partial(output.write_rows, "objects"),
            record_event=output.record_event,
            read_rss_bytes=lambda: output.last.get("rss_bytes"),
        )
        self._packages = ImportedPackages(
            run.get("packages") or {},
            budget=self._budget,
            clock=clock,
            write=lambda packages: output.update_run({"packages": packages}),
        )
        self._windows: TracingWindows | None = None
        if engine == "windows":
            self._windows = TracingWindows(
                trace_limit=settings.trace_limit,
                top_sites=settings.top_sites,
                budget=self._budget,
                clock=clock,
                read_sample=reader.read,
                record_event=output.record_event,
                write_sites=partial(output.write_rows, "sites"),
                begin=self._objects.note_growth,
                conclude=self._objects.report_holders,
            )
        self.sampled: SampledSites | None = None
        if engine == "sampled":
            self.sampled = SampledSites(
                max_frames=settings.trace_limit,
                top_sites=settings.top_sites,
                clock=clock,
                record_event=output.record_event,
                write_sites=partial(output.write_rows, "sites"),
                update_run=output.update_run,
                choose_rest_s=self._budget.rest_as_worker_s,
                begin=self._objects.note_growth,
                conclude=self._objects.report_holders,
            )

    @property
    def last(self) -> Row:
        """The last sample; empty before the first."""
        return self._output.last

    @property
    def snapshots(self) -> deque[MemorySnapshot]:
        """The last full snapshots, the oldest first."""
        return self._snapshots.kept

    @property
    def n_snapshots(self) -> int:
        """All full snapshots that were taken."""
        return self._snapshots.count

    @property
    def upload_errors(self) -> int:
        """Uploads to the ledger's URL that failed during this run."""
        return self._output.upload_errors

    @property
    def upload_error(self) -> str | None:
        """What the last upload failed of; None where it succeeded."""
        return self._output.upload_error

    def arm_signals(self) -> None:
        """Have the signal that ends this process noted, until `close`."""
        self._output.arm_signals()

    def prepare(self) -> None:
        """Note how dead runs ended, and load what the policy needs; before `begin`: under tracing it takes long."""
        self._output.note_dead_runs()
        if self._policy_runtime is not None and self._live is not None:
            self._policy_runtime.begin(
                self.record_event, self._live, keep_evidence=self.keep_evidence, find_line=self._find_growing_line
            )

    def begin(self) -> None:
        """Start tracing if that is wanted, and take the first sample.

        What is loaded and counted just before tracing starts costs a tenth, and is not traced itself.
        """
        started = time.thread_time()
        read_allocator_free_bytes()
        self._budget.spend(time.thread_time() - started)
        census = self._objects.read()
        if self._traces_fully:
            self._snapshots.start_tracing()
        elif self.sampled is not None:
            self.sampled.start()
        started = time.thread_time()
        self._take(snapshot=self._snapshots.are_wanted)
        self._budget.spend(time.thread_time() - started)
        self._objects.write(census)
        self._objects.reserve_last()
        if self._settings.seal and self._output.is_written:
            self._budget.reserve(SEALING_S)

    def tick(self) -> None:
        """Take one sample, and a full snapshot when one is due; none after the last."""
        if self._has_last:
            return
        measured = self.ticks % MEASURED_EVERY == 0 or self._reader.n_siblings > 1
        due = self._snapshots.is_due()
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
            self._choose_pace(max(0.0, tick_s - self._reader.rare_s))  # that has a share of its own

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
        return self._snapshots.kept[-1]

    def take_last(self) -> None:
        """Take the last sample, table and census, and end tracing if it was started here."""
        if self._windows is not None:
            self._windows.finish()
            self._objects.check()
        self._take(snapshot=self._snapshots.are_wanted)
        if self.sampled is not None:  # after the sample, whose number the table has: one table a number
            self.sampled.write_table()
        self._snapshots.stop_tracing()
        self._objects.report_last(is_growing=self._live is not None and self._live.has_grown())
        self._has_last = True
        self._packages.finish()

    def find_growing_lines(self, *, top: int) -> list[GrowingLine]:
        """Return the lines that hold more than at the start of the run, those first that grew most."""
        return find_growing_lines(self.sampled, self.snapshots.copy(), top=top)

    def _find_growing_line(self) -> str | None:
        """Return the file and line that grew most, None where none is known."""
        lines = self.find_growing_lines(top=1)
        return f"{lines[0].file}:{lines[0].line}" if lines else None

    def keep_evidence(self) -> None:
        """Write what the program holds, by line and by type, and who holds it, before it is restarted."""
        if self._windows is not None:
            self._windows.finish()
        self._take(snapshot=self._snapshots.are_wanted, enforced=False)
        if self.sampled is not None:
            self.sampled.write_table()
        self._objects.report_now()

    def end(self) -> None:
        """Take what is last, unless it was taken as the main program ended; `close` ends the sampling."""
        if not self._has_last:
            self.take_last()

    def mark(self, text: str) -> None:
        """Write a mark, and label the next sample with it."""
        self.label = text
        self._output.record_event("mark", message=text)

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
        self._output.close(seal=seal, ending=ending)

    def release(self) -> None:
        """Let go of the process: tracing and descriptors, but not the ledger."""
        self._snapshots.stop_tracing()
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
            self._snapshots.add(sample)
            cost_s = time.thread_time() - cpu_started
            self._snapshots.rest(cost_s, at_least_s=self._budget.rest_as_worker_s(cost_s))
        sample["capture_s"] = round((time.perf_counter() - started) * 1e7) / 1e7
        self._output.show_sample(sample)
        try:
            self._output.write_sample(sample)
        finally:
            self.ticks += 1  # after the row: who reads the number may rely on the ledger to have as many
        if self._policy_runtime is not None and enforced:
            self._policy_runtime.on_sample(sample, self.record_event)

    def _choose_pace(self, tick_s: float) -> None:
        """Widen the intervals where ticks cost too much, and record it when they change by half or more."""
        self._budget.n_workers = self._reader.n_siblings
        pace = self._budget.choose_pace(tick_s, self._settings.interval_s)
        if not self.pace / 1.5 < pace < self.pace * 1.5 or (pace == 1.0 != self.pace):
            self.pace = pace
            interval_s = pace * self._settings.interval_s
            why = f"to stay under {self._settings.max_overhead:.0%} of a processor"
            if self._budget.is_slowed_for_server:
                why = f"as {self._budget.n_workers} workers take {SERVER_TICKS_SHARE:.1%} of a processor together"
            message = f"A sample every {interval_s:.3g} s, {why}."
            self.record_event("pace", level="info", message=message, data={"interval_s": interval_s})
