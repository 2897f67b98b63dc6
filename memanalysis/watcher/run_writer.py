"""Open the ledger that a run is written to."""

from collections.abc import Callable
from pathlib import Path

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import Row
from memanalysis.watcher.settings import Settings

__all__ = ["open_run_writer"]


def open_run_writer(settings: Settings, run: Row, report: Callable[[str], None] | None) -> LedgerWriter | None:
    """Open the ledger, if there is one; it stays where it is when the program goes to another folder."""
    if settings.ledger is None:
        return None
    place = settings.ledger.absolute() if isinstance(settings.ledger, Path) else settings.ledger
    return LedgerWriter(place, run=run, retention=settings.retention, file_mode=settings.file_mode, report=report)
