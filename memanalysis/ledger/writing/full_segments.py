"""What becomes of the files of one writer that are full: sealed into Parquet, uploaded, or left as they are.

While the program runs a short-lived process does it (`worker_process`). At the end of the run what is left is sealed
there too, or here where pyarrow is loaded already. Standard library only, but for that last case.
"""

import logging
import os
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.maintenance.upload_outcome import read_outcome
from memanalysis.ledger.maintenance.worker_process import SealingWorker
from memanalysis.ledger.writing.segment_rotation import Segment

__all__ = ["FullSegments"]

CLOSE_TIMEOUT_S = 60.0
"""How long the end of a run waits for sealing; what is not done then is done by the next run or ``compact``."""

URL_CLOSE_TIMEOUT_S = 4.5
"""The same behind a URL, in all: the rows are safe on this machine, and a program's end is not held up."""

_log = logging.getLogger(__name__)


class FullSegments:
    """Holds the full files of one ledger writer, whose locks they keep, until a process seals them.

    Parameters
    ----------
    root : Path
        The ledger, or the spool of a ledger behind a URL.
    url : str, optional
        Where what is sealed is uploaded.
    retention : Retention, optional
        What is dropped after sealing.
    """

    def __init__(self, root: Path, *, url: str | None, retention: Retention | None) -> None:
        self._root, self._url = root, url
        self._is_in_memory = url is not None and url.startswith("memory:")
        self._job = {
            "root": str(root.absolute()),
            "url": url,
            "retention": None if retention is None else retention.to_mapping(),
        }
        self._worker = SealingWorker(self._job)
        self._segments: list[Segment] = []
        outcome = None if url is None else read_outcome(root)
        self._failures_before = 0 if outcome is None else outcome.failures

    @property
    def upload_errors(self) -> int:
        """Uploads of this ledger that failed since the writer was made, by whatever process."""
        outcome = None if self._url is None else read_outcome(self._root)
        return 0 if outcome is None else max(0, outcome.failures - self._failures_before)

    @property
    def upload_error(self) -> str | None:
        """Why the last upload failed, and what to do; None where it succeeded, or none was tried yet."""
        outcome = None if self._url is None else read_outcome(self._root)
        return None if outcome is None or not self.upload_errors else outcome.error

    def add(self, segment: Segment | None) -> None:
        """Take over a file that is full; None is the answer of a shard that has no file."""
        if segment is not None:
            self._segments.append(segment)

    def start_sealing(self) -> None:
        """Start a process on what is full, unless one is at work or none can be started."""
        if self._segments and not self._worker.is_busy():
            self.forget_removed()
            if self._segments and not self._is_in_memory and self._worker.start(self._segments):
                self._segments.clear()

    def wait(self, timeout_s: float) -> None:
        """Wait until the process that seals has ended, at most so long."""
        self._worker.wait(timeout_s)

    def forget_removed(self) -> None:
        """Let go of files that were removed before they were sealed."""
        for segment in [segment for segment in self._segments if not segment[1].exists()]:
            segment[2].close()
            self._segments.remove(segment)

    def seal_rest(self) -> None:
        """Seal what is left: in another process where pyarrow is not loaded here, and upload it."""
        if self._url is not None and not self._is_in_memory:
            self._seal_and_upload()
            return
        self._worker.wait(CLOSE_TIMEOUT_S)
        if "pyarrow" not in sys.modules and not self._is_in_memory and self._worker.start(self._segments):
            self._segments.clear()
            self._worker.wait(CLOSE_TIMEOUT_S)
            return
        self._seal_here()

    def close(self) -> None:
        """Give up the files and their locks; they stay as they are."""
        for _, _, descriptor in self._segments:
            descriptor.close()
        self._segments.clear()

    def forget_in_child(self) -> None:
        """Let go of the parent's files and process in a forked child."""
        self.close()
        self._worker.forget()

    def _seal_and_upload(self) -> None:
        """Seal and upload in another process, which is not waited for longer than a program's end may be held up."""
        until = time.monotonic() + URL_CLOSE_TIMEOUT_S
        self._worker.wait(URL_CLOSE_TIMEOUT_S / 2)
        if self._worker.start(self._segments):
            self._segments.clear()
            self._worker.wait(max(0.0, until - time.monotonic()))
        else:  # no process can be started: a thread, which need not be waited for either
            try:
                worker = threading.Thread(target=self._seal_here, name="memanalysis-upload", daemon=True)
                worker.start()
                worker.join(max(0.0, until - time.monotonic()))
            except RuntimeError as exc:  # the interpreter is going down
                _log.warning("memanalysis left files of %s unsealed, which read as well: %s", self._root, exc)
        if self.upload_error is not None:
            _log.warning("memanalysis: %s", self.upload_error)
        elif time.monotonic() >= until:
            _log.warning(
                "memanalysis did not wait longer than %.0f s for the upload to %s. What is not uploaded waits in %s; "
                "the next run takes it along, or run: memanalysis compact %s",
                URL_CLOSE_TIMEOUT_S,
                self._url,
                self._root,
                self._url,
            )

    def _seal_here(self) -> None:
        if self._url is None and find_spec("pyarrow") is None:  # the recorder alone is installed
            return
        try:
            from memanalysis.ledger.maintenance.worker import run_job  # loads pyarrow

            segments = [(table, str(path)) for table, path, _ in self._segments]
            if os.name != "posix":  # there a file that is open cannot be removed
                self.close()
            run_job({**self._job, "segments": segments})
        except (ImportError, RuntimeError, OSError) as exc:  # pyarrow absent or the interpreter going down; or the disk
            _log.warning("memanalysis left files of %s unsealed, which read as well: %s", self._root, exc)
