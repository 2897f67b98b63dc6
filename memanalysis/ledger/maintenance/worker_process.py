"""Starts a short-lived process that seals while the program runs, so that the watched one never loads pyarrow.

It is started unseen by the program (see `detach`) with the files that are full, one process at a time, with low
priority, and is given their descriptors: they hold the locks until it ends. A pipe reports when it is done. Where none
can be started (another system than Linux, a limit on processes), the files stay JSON lines, which read as well, until
the writer is closed or the ledger is compacted. Standard library only.
"""

import json
import logging
import os
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from memanalysis._children import adopts_orphans
from memanalysis._descriptors import OwnDescriptor
from memanalysis.ledger.maintenance.detach import find_adoption_obstacle, find_detach_obstacle, start_detached
from memanalysis.ledger.writing.segment_rotation import Segment
from memanalysis.standard_library import drop_shadowing_folders, read_path

__all__ = ["SealingWorker"]

RETRY_S = 60.0
"""How long a process that would now be noticed is put off."""

POLL_MS = 1_000.0
"""How often a wait checks that the pipe is still ours."""

_PROGRAM = """
import json, os, signal, sys
job = json.loads(sys.argv[1])
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.setsid()
report, own = job["report"], {int(number): tuple(file) for number, file in job["descriptors"].items()}
for number in map(int, os.listdir("/proc/self/fd")):
    if number > 2 and number != report:
        try:
            status = os.fstat(number)
            if own.get(number) != (status.st_dev, status.st_ino):
                os.close(number)
        except OSError:
            pass
def send(number):
    try:
        os.write(report, b"%d\\n" % number)
    except OSError:  # the program has ended; its files are sealed all the same
        pass
send(os.getpid())
sys.path[:] = job["path"]
code = 1
try:
    from memanalysis.ledger.maintenance.worker import main
    main(job)
except SystemExit as end:
    code = end.code
finally:
    send(code)
"""

_log = logging.getLogger(__name__)


class SealingWorker:
    """Starts one process after another to seal what is full, apply the retention and upload.

    Parameters
    ----------
    job : mapping
        What beside the segments the process is given; see ``worker.run_job``.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._report: OwnDescriptor | None = None
        self._received = b""
        self._not_before = float("-inf")
        self._is_able = "python" in Path(sys.executable or "").name.lower() and find_detach_obstacle() is None

    def is_busy(self) -> bool:
        """Return whether a process is at work; one that failed is named in the log."""
        if self._report is None:
            return False
        if self._report.stat() is None:  # the program closed the pipe: how the work ends is not learned
            self._report = None
            return False
        with suppress(BlockingIOError):
            while piece := os.read(self._report.number, 64):
                self._received += piece
            self._end()
            return False
        if self._received.count(b"\n") < 2:
            return True
        self._end()
        return False

    def start(self, segments: Sequence[Segment]) -> bool:
        """Start a process on those files, which then holds their locks; False where none can be started."""
        if not self._is_able or time.monotonic() < self._not_before:
            return False
        if find_spec("pyarrow") is None:  # the recorder alone is installed: the files stay JSON lines
            self._is_able = False
            return False
        if find_adoption_obstacle() is not None:
            self._not_before = time.monotonic() + RETRY_S
            return False
        reading, writing = os.pipe()
        report, writing_end = OwnDescriptor(reading), OwnDescriptor(writing)
        try:
            self._start(segments, writing_end)
            os.set_blocking(report.number, False)
        except (OSError, RuntimeError, ValueError) as exc:  # a limit on processes; the interpreter going down
            report.close()
            self._is_able = False
            _log.warning("memanalysis cannot seal while it runs, and does so at the end: %s", exc)
            return False
        finally:
            writing_end.close()
        self._report, self._received = report, b""
        for _, _, descriptor in segments:
            descriptor.close()
        return True

    def wait(self, timeout_s: float) -> None:
        """Wait until the process has ended, but not for ever; it goes on without being waited for."""
        deadline = time.monotonic() + timeout_s
        while self.is_busy() and self._report is not None:
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                if self._job["url"] is None:
                    _log.warning("memanalysis did not wait longer than %.0f s for %s", timeout_s, self._job["root"])
                self.forget()
                return
            poll = select.poll()
            poll.register(self._report.number, select.POLLIN)
            poll.poll(min(left_ms, POLL_MS))

    def forget(self) -> None:
        """Learn no more of the process; it goes on."""
        if self._report is not None:
            self._report.close()
            self._report = None

    def _start(self, segments: Sequence[Segment], writing_end: OwnDescriptor) -> None:
        if not os.access(sys.executable, os.X_OK):
            raise FileNotFoundError(f"there is no {sys.executable}")
        locks = [descriptor for _, _, descriptor in segments]
        files = {descriptor.number: descriptor.stat() for descriptor in locks}
        job = {
            **self._job,
            "path": [
                str(Path(__file__).parents[2]),
                *drop_shadowing_folders([entry for entry in read_path() if entry]),
            ],
            "segments": [(table, str(path)) for table, path, _ in segments],
            "descriptors": {number: (file.st_dev, file.st_ino) for number, file in files.items() if file is not None},
            "report": writing_end.number,
        }
        command = [sys.executable, "-S", "-E", "-P", "-c", _PROGRAM, json.dumps(job)]
        start_detached(command, inherited=[writing_end, *locks])

    def _end(self) -> None:
        """Close the pipe, name a failure, and collect the process if it has become a child of this one."""
        self.forget()
        pid, _, code = self._received.decode("ascii", "replace").partition("\n")
        if code.strip() != "0" and self._job["url"] is None:  # of an upload the spool holds how it ended
            _log.warning("memanalysis left files of ledger %s unsealed, which read as well", self._job["root"])
        if pid.isdigit() and adopts_orphans():
            with suppress(ChildProcessError):
                os.waitpid(int(pid), 0)
