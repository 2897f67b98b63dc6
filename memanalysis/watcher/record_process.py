"""Record a process that is not ours, from outside: what the system shows of it and of its children."""

import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from memanalysis._gone_process import read_state
from memanalysis.capture.process_groups import GroupReader
from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.errors import CaptureError, LedgerError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.watcher.redaction import ArgvMode, select_arguments
from memanalysis.watcher.release import find_given_release
from memanalysis.watcher.run_labels import find_labels
from memanalysis.watcher.run_row import make_run_id, make_run_row

__all__ = ["OutsideRecorder"]

DEEP_INTERVAL_S = 60.0
"""PSS and USS make the kernel walk the memory map of the process: once a minute."""

CLOSE_RETRY_S = 5.0
CLOSE_POLL_S = 0.1
"""A disk that is full at the end is tried for so long, and so often."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_log = logging.getLogger(__name__)


class OutsideRecorder:
    """Records one process, and its children where asked, a run each, into one ledger.

    While the disk is full, samples wait in memory and each tick tries again; a run that could not begin is begun then.

    Parameters
    ----------
    pid : int
        The process.
    service : str, optional
        Name for its rows; that of its program when not given.
    ledger : Path
        Folder of the ledger.
    children : bool
        Whether its children, and theirs, are recorded too, also those that are started later.
    argv : {"redacted", "full", "none"}
        What is kept of the arguments of each process.
    clock : Clock
        When it is.

    Raises
    ------
    CaptureError
        No such process.
    LedgerError
        The ledger cannot be written.
    """

    def __init__(
        self,
        pid: int,
        *,
        ledger: Path,
        service: str | None = None,
        children: bool = False,
        argv: ArgvMode = "redacted",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        try:
            self._root = psutil.Process(pid)
            self.service = service or _name_service(self._root)
        except (psutil.Error, ValueError, OverflowError) as exc:  # the last two: it is no pid at all
            raise CaptureError(
                f"Recording needs a process that runs, but there is none with pid {pid}. Look it up with ps or top."
            ) from exc
        self._ledger = ledger
        self._children = children
        self._argv = argv
        self._clock = clock
        self._runs: dict[int, _OutsideRun] = {}
        self.n_samples = 0
        self.n_processes = 0
        self._trouble: str | None = None
        self._is_waiting = not self._add(self._root)

    def tick(self) -> bool:
        """Take a sample of each process; False when the first of them has ended."""
        trouble: str | None = None
        if self._is_waiting:
            self._is_waiting = not self._add(self._root)
            if self._is_waiting:
                return True
        if self._children:
            for child in self._find_children():
                if child.pid not in self._runs:
                    self._add(child)
        for pid, run in list(self._runs.items()):
            try:
                is_alive = run.tick()
            except LedgerError as exc:
                is_alive, trouble = True, str(exc)
            if is_alive:
                self.n_samples += 1
            else:
                del self._runs[pid]
                try:
                    run.close(retry_until=time.monotonic() + CLOSE_RETRY_S)
                except LedgerError as exc:
                    trouble = str(exc)
        self._note_trouble(trouble)
        return self._root.pid in self._runs

    def record(self, *, interval_s: float, wait: Callable[[float], Any] = time.sleep, until: float) -> None:
        """Tick until the process has ended, the monotonic clock reaches ``until``, or ``wait`` returns True."""
        while self.tick() and self._clock.monotonic() < until:
            if wait(interval_s):
                break

    def close(self) -> None:
        """End every run; the files stay JSON lines.

        Raises
        ------
        LedgerError
            The ledger refuses the last rows of a run; the other runs are ended.
        """
        failed: LedgerError | None = None
        until = time.monotonic() + CLOSE_RETRY_S
        for run in self._runs.values():
            try:
                run.close(retry_until=until)
            except LedgerError as exc:
                failed = exc
        self._runs.clear()
        if failed is not None:
            raise failed

    def _find_children(self) -> list[psutil.Process]:
        try:
            return self._root.children(recursive=True)
        except psutil.Error:
            return []

    def _add(self, process: psutil.Process) -> bool:
        """Begin the run of a process; False where the disk is full, and it is to be tried again."""
        try:
            groups = GroupReader(process.pid) if process.pid == self._root.pid else None
            run = _OutsideRun(process, self.service, self._ledger, self._argv, self._clock, groups)
        except psutil.Error:  # it has ended meanwhile
            return True
        except LedgerError as exc:
            if getattr(exc.__cause__, "errno", None) not in _FULL:
                raise
            self._note_trouble(str(exc))
            return False
        self._runs[process.pid] = run
        self.n_processes += 1
        return True

    def _note_trouble(self, trouble: str | None) -> None:
        """Log when the ledger cannot be written any more, and when it can again."""
        if trouble is not None and self._trouble is None:
            _log.warning("memanalysis goes on and tries again at each tick: %s", trouble)
        elif trouble is None and self._trouble is not None:
            _log.warning("memanalysis writes into %s again", self._ledger)
        self._trouble = trouble


class _OutsideRun:
    """One process from outside."""

    def __init__(
        self,
        process: psutil.Process,
        service: str,
        ledger: Path,
        argv: ArgvMode,
        clock: Clock,
        groups: GroupReader | None,
    ) -> None:
        started = clock.wall()
        environment = _read_environment(process)
        row = make_run_row(service, started=started) | {
            "run_id": make_run_id(started, pid=process.pid),
            "pid": process.pid,
            "parent_pid": process.ppid(),
            "program_pid": None,
            "argv": select_arguments(process.cmdline(), argv),
            "python": None,
            "git_commit": None,
            "release": find_given_release(environment),
            "labels": find_labels(None, report=_log.warning, environment=environment),
            "packages": None,
            "at_start": read_state(None) | {"sees_signals": False, "notes_end": False},
        }
        self._process = process
        self._clock = clock
        self._reader = SampleReader(pid=process.pid, clock=clock, groups=groups)
        self._writer = LedgerWriter(ledger.absolute(), run=row, report=_report_removal)
        self._seq = 0
        self._had_memory = False
        self._deep_at = float("-inf")

    def tick(self) -> bool:
        """Take a sample; False when the process has ended."""
        if not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE:
            return False
        deep = self._clock.monotonic() >= self._deep_at
        if deep:
            self._deep_at = self._clock.monotonic() + DEEP_INTERVAL_S
        sample = self._reader.read(deep=deep)
        if sample["rss_bytes"] is None or (self._had_memory and not sample["rss_bytes"]):  # it ends at this moment
            return False
        self._had_memory = bool(sample["rss_bytes"])
        row = sample | {"seq": self._seq, "label": None}
        self._seq += 1  # before the writing: a row that the disk refuses waits in the writer
        self._writer.append("samples", [row])
        return True

    def close(self, *, retry_until: float = 0.0) -> None:
        """End the run; until then rows that still wait in memory are tried again."""
        self._reader.close()
        while not self._is_written() and time.monotonic() < retry_until:
            time.sleep(CLOSE_POLL_S)
        self._writer.close(ended=self._clock.wall(), seal=False)

    def _is_written(self) -> bool:
        try:
            self._writer.flush()
        except LedgerError:
            return False
        return True


def _read_environment(process: psutil.Process) -> dict[str, str]:
    """What the process was started with; nothing where the system does not show it, as of another user's."""
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _report_removal(message: str) -> None:
    _log.warning("memanalysis: %s", message)


def _name_service(process: psutil.Process) -> str:
    """Name of the script that a Python runs, else of the program."""
    for argument in process.cmdline()[1:]:
        if argument.endswith(".py"):
            return Path(argument).stem
    return process.name() or f"pid-{process.pid}"
