"""Note each run of a cell when it ends: into the log, and among the runs of its source."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memanalysis.notebook.rerun_growth import RerunWatch

if TYPE_CHECKING:
    from memanalysis.notebook.cell_log import CellRecord
    from memanalysis.notebook.measure import CellCost
    from memanalysis.notebook.passive import CellEvent

__all__ = ["CellNotes"]


class CellNotes:
    """Notes the cells of one shell; ``cost`` is what the running cell was measured to take."""

    def __init__(self) -> None:
        self.cost: CellCost | None = None
        self.output_name: str | None = None
        self._source = ""
        self._started = datetime.now(UTC)
        self._reruns = RerunWatch()

    def begin(self, source: str) -> None:
        """Begin with the source of a cell that is about to run."""
        self._source, self._started = source, datetime.now(UTC)
        self.cost = self.output_name = None

    def end(self, label: str, event: "CellEvent | None", result: Any) -> "tuple[CellRecord | None, str | None]":
        """Note the cell; gives its record, and a line to show when something is established about its runs."""
        if event is None and self.cost is None:
            return None, None
        from memanalysis.notebook.cell_log import cells, make_record, source_identity  # of cells that are watched

        error = None if result is None else (result.error_in_exec or result.error_before_exec)
        record = cells.add(
            make_record(
                cell=label,
                source=self._source,
                started=self._started,
                event=event,
                cost=self.cost,
                error=None if error is None else type(error).__name__,
            )
        )
        identity = source_identity(self._source)
        finding = self._reruns.add(identity, record.net_bytes)
        rate = self._reruns.read_bytes_per_run(identity)
        if rate is not None:
            record = replace(record, bytes_per_run=rate)
            cells.replace_last(record)
        return record, None if finding is None else finding.render_line()
