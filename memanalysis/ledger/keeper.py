"""Who seals while the program runs: a short-lived process of its own, so that the watched one never loads pyarrow.

It is started with the files that are full, one at a time, with low priority, and is given their descriptors: they hold
the locks until it ends. Where none can be started (no interpreter to start, a limit on processes), the files stay JSON
lines, which read as well, until the writer is closed or the ledger is compacted. Standard library only.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memanalysis.ledger.shards import Segment

__all__ = ["Keeper"]

_PROGRAM = """
import json, sys
job = json.loads(sys.argv[1])
sys.path[:] = job["path"]
from memanalysis.ledger.upkeep import main
main(job)
"""

_log = logging.getLogger(__name__)


class Keeper:
    """Starts one process after another to seal what is full, keep to the retention and upload.

    Parameters
    ----------
    job : mapping
        What beside the segments the process is told; see ``upkeep.Job``.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._is_able = os.name == "posix" and "python" in Path(sys.executable or "").name.lower()

    def is_busy(self) -> bool:
        """Tell whether a process is at work; one that failed is told in the log."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self._process = None
        if code and self._job["url"] is None:  # of an upload the spool holds how it ended
            _log.warning("memanalysis left files of ledger %s unsealed, which read as well", self._job["root"])
        return False

    def start(self, segments: Sequence[Segment]) -> bool:
        """Start a process on those files, which then holds their locks; False where none can be started."""
        if not self._is_able:
            return False
        job = {
            **self._job,
            "path": [str(Path(__file__).parents[2]), *(entry for entry in sys.path if entry)],
            "segments": [(table, str(path)) for table, path, _ in segments],
        }
        command = [sys.executable, "-S", "-E", "-c", _PROGRAM, json.dumps(job)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, on data
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[descriptor for _, _, descriptor in segments],
                start_new_session=True,
            )
        except (OSError, RuntimeError, ValueError) as exc:  # a limit on processes; the interpreter going down
            self._is_able = False
            _log.warning("memanalysis cannot seal while it runs, and does so at the end: %s", exc)
            return False
        for _, _, descriptor in segments:
            os.close(descriptor)
        return True

    def wait(self, timeout_s: float) -> None:
        """Wait until the process has ended, but not for ever; it goes on without being waited for."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            if self._job["url"] is None:
                _log.warning("memanalysis did not wait longer than %.0f s for ledger %s", timeout_s, self._job["root"])
            self._process.returncode = 0  # not waited for any more, and no ResourceWarning
            self._process = None
        self.is_busy()
