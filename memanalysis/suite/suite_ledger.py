"""Write the figures of each test into a ledger: a run of the suite has a run there, and each test a row in ``events``.

The rows of ``samples`` are the resident memory at the end of each test, so that the suite as a whole is judged like a
program: does it grow from test to test?
"""

import time
from pathlib import Path
from typing import Any

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.suite.item_meter import ItemFigures
from memanalysis.watcher.run_row import make_run_row

__all__ = ["SuiteLedger"]


class SuiteLedger:
    """One process that runs tests, and its run in a ledger.

    Parameters
    ----------
    folder : Path
        The ledger.
    service : str
        Name of the suite.
    worker : str or None
        Name of the worker of pytest-xdist.
    """

    def __init__(self, folder: Path, *, service: str, worker: str | None) -> None:
        started = time.time()
        self._began_s = time.monotonic()
        self._worker = worker
        self._writer = LedgerWriter(folder, run=make_run_row(service, started=started, trace="sampled"))
        self._seq = 0

    def add(self, test: str, outcome: str, figures: ItemFigures, *, repeats: int, leak_bytes: float | None) -> None:
        """Write the rows of one test.

        Parameters
        ----------
        test : str
            Its node id.
        outcome : str
            ``passed``, ``failed`` or ``skipped``.
        figures : ItemFigures
        repeats : int
            Times that it was run again.
        leak_bytes : float or None
            What each run keeps, where that was shown.
        """
        now = time.time()
        data: dict[str, Any] = {
            "test": test,
            "outcome": outcome,
            "worker": self._worker,
            "repeats": repeats,
            "leak_bytes_per_run": leak_bytes,
            **figures.to_mapping(),
        }
        level = "warning" if leak_bytes is not None else "info"
        self._writer.append(
            "events", [{"timestamp": now, "kind": "test", "level": level, "message": test, "data": data}]
        )
        sample = {
            "seq": self._seq,
            "timestamp": now,
            "elapsed_s": time.monotonic() - self._began_s,
            "label": test,
            "rss_bytes": figures.end_bytes,
        }
        self._writer.append("samples", [sample])
        self._seq += 1

    def close(self) -> None:
        """End the run."""
        self._writer.close(seal=False)
