"""Watch every cell of a notebook: a recorder that runs beside the cells, and one event a cell."""

import os
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memanalysis._machine import read_system
from memanalysis.capture.process import ProcessReader, read_limit_bytes
from memanalysis.errors import LedgerError
from memanalysis.ledger.paths import DEFAULT_LEDGER
from memanalysis.notebook.shell_frames import CELL_TRACE_LIMIT
from memanalysis.units import format_bytes

if TYPE_CHECKING:
    from memanalysis.notebook.cell_log import CellRecord
    from memanalysis.notebook.cell_readings import CellReadings
    from memanalysis.notebook.cell_record import CellJournal
    from memanalysis.notebook.passive import CellEvent, PassiveMeter
    from memanalysis.notebook.session_show import SessionReport
    from memanalysis.watcher.recorder import Recorder

__all__ = ["NotebookSession", "read_rss_text"]

_ONLY_MEMWATCH = re.compile(r"\s*(%memwatch\b[^\n]*\s*)+")
DEFAULT_SERVICE = "notebook"

SNAPSHOT_INTERVAL_S = 5.0
"""Seconds between two snapshots of all allocation sites: people wait for a notebook, so growth is named soon."""

TRACED_COLUMNS = {"traced_bytes", "traced_peak_bytes", "tracer_bytes"}
"""Left out without ``--trace``: a cell under ``%%memwatch`` is traced alone: no growth of the session."""

MAX_EVENTS = 1000
"""Cells held in memory for the report; the ledger has them all."""


class NotebookSession:
    """Watching of one shell, on or off."""

    def __init__(self) -> None:
        self.events: deque[CellEvent] = deque(maxlen=MAX_EVENTS)
        self._recorder: Recorder | None = None
        self._ledger: Path | str = Path(DEFAULT_LEDGER)
        self._service = DEFAULT_SERVICE
        self._run_id = ""
        self._verbose = False
        self._running: PassiveMeter | None = None
        self._record: CellJournal | None = None
        self._runs: Counter[object] = Counter()
        self._reader = ProcessReader()
        self._readings: CellReadings | None = None

    @property
    def is_on(self) -> bool:
        """Whether a recorder runs."""
        return self._recorder is not None

    @property
    def recorder(self) -> "Recorder | None":
        """What watches; None while it is off."""
        return self._recorder

    def start(
        self,
        *,
        ledger: str | None = None,
        service: str | None = None,
        interval_s: float = 1.0,
        trace: bool = False,
        sample: bool = False,
        policy: str | None = None,
        verbose: bool = False,
    ) -> str:
        """Start to watch; gives the sentence to show.

        ``trace`` follows every allocation, ``sample`` some of them, where this Python can: both name lines. ``policy``
        is a file whose budgets the kernel is held against.

        Raises
        ------
        InvalidArgumentError
            An interval or a name that cannot be used.
        PolicyError
            A policy that is not there, or has errors.
        LedgerError
            The ledger cannot be written.
        """
        if self._recorder is not None:
            return f"{self.describe()} %memwatch off first to watch in another way."
        from memanalysis.capture.sampler import why_unavailable  # what watches is loaded when it is asked for
        from memanalysis.notebook.quiet_start import check_ledger_folder, start_silently
        from memanalysis.watcher.watch import watch

        check_ledger_folder(ledger or DEFAULT_LEDGER)
        if trace:
            from memanalysis.notebook.plot import load_drawing

            load_drawing()  # before tracing starts: it is 20 times as slow after
        self._service = service or _notebook_name() or DEFAULT_SERVICE
        self._verbose = verbose
        recorder = watch(
            self._service,
            ledger=ledger or DEFAULT_LEDGER,
            policy=policy,
            interval=interval_s,
            trace="full" if trace else "sampled" if sample and why_unavailable() is None else "off",
            trace_limit=CELL_TRACE_LIMIT,
            snapshot_interval=SNAPSHOT_INTERVAL_S,
        )
        if not trace:
            left_out = recorder.settings.left_out | TRACED_COLUMNS
            recorder.settings = replace(recorder.settings, left_out=left_out)
        if not start_silently(recorder):
            reason = (recorder.status().last_error or "unknown").partition(": ")[2]
            raise LedgerError(f"%memwatch on could not start: {reason}")
        self._recorder = recorder
        self._ledger = recorder.status().ledger or Path(DEFAULT_LEDGER)
        self._run_id = recorder.status().run_id or ""
        self.events.clear()
        self._runs.clear()
        how = ", following every allocation of Python" if trace else ""
        how += "" if policy is None else f", under {policy}"
        death = self.announce_death(self._ledger, self._service)
        return (f"{death}\n" if death else "") + (
            f"memwatch is on{how}. Each cell adds a row to {self._ledger} as {self._service!r}; "
            "a cell that retains much shows it. %memwatch report shows them all, %memwatch off stops."
        )

    def announce_death(self, ledger: Path | str = DEFAULT_LEDGER, service: str | None = None) -> str | None:
        """Return how the last kernel died in a cell, where it did and it was not shown before.

        The service is that of this notebook; where Jupyter does not give its name, any.
        """
        if not Path(ledger).is_dir():
            return None
        from memanalysis.notebook.last_death import announce_last_death  # most notebooks have no ledger

        return announce_last_death(ledger, service=service or _notebook_name(), host=read_system()[1], now=time.time())

    def stop(self) -> str:
        """Stop watching; gives the sentence to show."""
        if self._recorder is None:
            return "memwatch is off already."
        recorder, self._recorder = self._recorder, None
        self._abandon_cell()
        if self._readings is not None:
            self._readings.close()
            self._readings = None
        recorder.stop(seal="pyarrow" in sys.modules)  # JSON lines read as well: nothing is loaded for the end
        self._reader.close()
        return f"memwatch is off. {_count_cells(self.events)} in {self._ledger}: %memwatch report shows them."

    def report(self, noted: "Iterable[CellRecord]") -> "SessionReport | None":
        """The cells of this session and the verdict on its ledger; None where nothing was watched.

        ``noted`` are the cells of the log; those that this session watched are taken.

        Raises
        ------
        LedgerError
            The ledger cannot be read.
        """
        if self._recorder is None and not self.events:
            return None
        from memanalysis.notebook.child_report import read_report_of
        from memanalysis.notebook.session_show import SessionReport, describe_cells, make_cell_table

        if self._recorder is not None:
            self._recorder.snapshot_now()
        watched = {event.cell for event in self.events}
        cells = [record for record in noted if record.cell in watched]
        shown = read_report_of(
            self._ledger, run_id=self._run_id, headline=describe_cells(cells), cells=make_cell_table(cells)
        )
        return SessionReport(cells, shown)

    def describe(self) -> str:
        """Return whether watching is on, and how much memory there is."""
        memory = f"Resident memory: {read_rss_text()}{_limit_text()}."
        if self._recorder is None:
            return f"memwatch is off. {memory} %memwatch on watches every cell."
        status = self._recorder.status()
        trouble = f" It could not do everything: {status.last_error}." if status.errors else ""
        return f"memwatch is on: {_count_cells(self.events)} of {self._service!r} in {self._ledger}. {memory}{trouble}"

    def before_cell(self, label: str, source: str, identity: object) -> None:
        """Begin to measure a cell, if watching is on and the cell does more than to ask us."""
        self._abandon_cell()
        if self._recorder is not None and not _ONLY_MEMWATCH.fullmatch(source):
            from memanalysis.notebook.cell_record import CellJournal  # loaded by the first cell that is watched
            from memanalysis.notebook.passive import PassiveMeter

            self._runs[identity] += 1
            self._recorder.label_samples(label)
            self._record = record = CellJournal(
                label, source, rss_bytes=self._reader.read_rss_bytes(), record_event=self._recorder.record_event
            )
            self._running = PassiveMeter(
                label,
                self._reader,
                self._start_readings(),
                run_number=self._runs[identity],
                on_reading=record.on_reading,
            )

    def begin_again(self) -> None:
        """Leave out what this cell has done so far: it was our own doing."""
        if self._running is not None:
            from memanalysis.notebook.passive import PassiveMeter

            running = self._running
            running.abandon()
            self._running = PassiveMeter(
                running.label,
                self._reader,
                self._start_readings(),
                run_number=running.run_number,
                on_reading=running.on_reading,
            )

    def after_cell(self, result: Any) -> "CellEvent | None":
        """Record what the cell did, and return it; None where the cell was not watched."""
        meter, self._running = self._running, None
        if meter is None or self._recorder is None:
            return None
        event = meter.finish(result)
        self._close_record()
        self._recorder.label_samples(None)
        self.events.append(event)
        self._recorder.record_event("cell", message=event.render_line(), data=asdict(event))
        return event

    def shows(self, event: "CellEvent") -> bool:
        """Whether a line about the cell is shown below it."""
        return self._verbose or event.is_notable

    def _start_readings(self) -> "CellReadings":
        """What reads memory while a cell runs: the same for all cells until watching is off."""
        if self._readings is None:
            from memanalysis.notebook.cell_readings import CellReadings

            self._readings = CellReadings(self._reader.read_rss_bytes)
        return self._readings

    def _abandon_cell(self) -> None:
        if self._running is not None:
            self._running.abandon()
            self._running = None
        self._close_record()

    def _close_record(self) -> None:
        if self._record is not None:
            self._record.close()
            self._record = None


def read_rss_text() -> str:
    """Resident memory of this process now, in words."""
    with ProcessReader() as reader:
        return format_bytes(reader.read_rss_bytes())


def _limit_text() -> str:
    limit_bytes = read_limit_bytes()
    return "" if limit_bytes is None else f" of the {format_bytes(limit_bytes)} that the container may use"


def _count_cells(events: "Collection[CellEvent]") -> str:
    return "1 cell" if len(events) == 1 else f"{len(events)} cells"


def _notebook_name() -> str | None:
    """Name of the notebook's file without its ending, where Jupyter's server passes it to the kernel."""
    path = os.environ.get("JPY_SESSION_NAME")
    return Path(path).stem or None if path else None
