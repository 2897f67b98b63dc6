"""Where do the rows of a run go? Into its ledger, and to those who read along: the live verdict and the alerts."""

import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memanalysis.capture.fatal_signals import ArmedSignals, arm_signals
from memanalysis.capture.sample import Clock
from memanalysis.ledger.maintenance.note_ends import MAX_RUNS, note_ends
from memanalysis.schema import Row
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.run_writer import open_run_writer
from memanalysis.watcher.settings import Settings

if TYPE_CHECKING:
    from memanalysis.watcher.policy_runtime import PolicyRuntime

__all__ = ["RunOutput"]


class RunOutput:
    """The rows of one run, on their way out.

    Parameters
    ----------
    settings : Settings
        Where the ledger is, and what is left out of it.
    run : row of ``runs``
        Written first.
    clock : Clock
        When it is.
    live : LiveRun, optional
        Given each sample and event.
    policy_runtime : PolicyRuntime, optional
        Given each event too.
    report : callable, optional
        Called with what fails behind the program's back, such as an upload.

    Raises
    ------
    LedgerError
        The ledger cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        run: Row,
        *,
        clock: Clock,
        live: LiveRun | None,
        policy_runtime: "PolicyRuntime | None",
        report: Callable[[str], None] | None,
    ) -> None:
        self.last: Row = {}
        self._settings = settings
        self._clock = clock
        self._live = live
        self._policy_runtime = policy_runtime
        self._writer = open_run_writer(settings, run, report)
        self._uploads = self._writer  # outlasts the writing: the last upload ends after it
        self._signals: ArmedSignals | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is a ledger."""
        return self._writer is not None

    def arm_signals(self) -> None:
        """Have the signal that ends this process noted in the ledger, until `close`."""
        place = None if self._writer is None else self._writer.prepare_end()
        self._signals = None if place is None else arm_signals(*place)

    def note_dead_runs(self) -> None:
        """Note in the ledger how earlier runs of the service ended that could not do so themselves."""
        if self._writer is not None:
            note_ends(self._writer.path, service=self._settings.service, most=MAX_RUNS)

    def show_sample(self, sample: Row) -> None:
        """Make a sample the last one, and give it to the live verdict."""
        self.last = sample
        if self._live is not None:
            self._live.add(sample)

    def write_sample(self, sample: Row) -> None:
        """Write a row of ``samples``."""
        left_out = self._settings.left_out
        row = {column: value for column, value in sample.items() if column not in left_out} if left_out else sample
        self._append("samples", [row])

    def write_rows(self, table: str, rows: Sequence[Row], *, sample: Row | None = None) -> None:
        """Write rows of a table as of a sample, which is the last one where none is given."""
        sample = self.last if sample is None else sample
        stamp = {"seq": sample["seq"], "timestamp": sample["timestamp"]}
        self._append(table, [{**row, **stamp} for row in rows])

    def update_run(self, cells: Row) -> None:
        """Change cells of the row of the run, such as the packages that the program has imported."""
        if self._writer is not None:
            self._writer.update_run(cells)
            if (signals := self._signals) is not None:  # a signal writes the row as it is now
                self.arm_signals()
                signals.disarm()

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

    @property
    def upload_errors(self) -> int:
        """Uploads to the ledger's URL that failed during this run."""
        return 0 if self._uploads is None else self._uploads.upload_errors

    @property
    def upload_error(self) -> str | None:
        """What the last upload failed of; None where it succeeded."""
        return None if self._uploads is None else self._uploads.upload_error

    def close(self, *, seal: bool, ending: Mapping[str, Any] | None) -> None:
        """Close the ledger; what comes later is not written. Arguments and errors are those of `Observer.close`."""
        signals, self._signals = self._signals, None
        if signals is not None:
            signals.disarm()
        writer, self._writer = self._writer, None  # a tick that is under way writes no more
        if writer is not None:
            can_seal = "pyarrow" in sys.modules or not tracemalloc.is_tracing()
            writer.close(ended=self._clock.wall(), ending=ending, seal=seal and can_seal)

    def _append(self, table: str, rows: list[Row]) -> None:
        if self._writer is not None:
            self._writer.append(table, rows)
