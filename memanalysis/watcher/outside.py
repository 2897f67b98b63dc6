"""How is a process watched that is not ours? From outside: what the system tells of it, and of its children."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.errors import CaptureError
from memanalysis.ledger.writer import LedgerWriter
from memanalysis.watcher.redaction import ArgvMode, select_arguments
from memanalysis.watcher.run import make_run_id, make_run_row

__all__ = ["OutsideRecorder"]

DEEP_INTERVAL_S = 60.0
"""PSS and USS make the kernel walk the memory map of the process: once a minute."""


class OutsideRecorder:
    """Records one process, and its children where asked, a run each, into one ledger.

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
        except psutil.Error as exc:
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
        self._add(self._root)

    def tick(self) -> bool:
        """Take a sample of each process; False when the first of them has ended."""
        if self._children:
            for child in self._find_children():
                if child.pid not in self._runs:
                    self._add(child)
        for pid, run in list(self._runs.items()):
            if run.tick():
                self.n_samples += 1
            else:
                del self._runs[pid]
                run.close()
        return self._root.pid in self._runs

    def record(self, *, interval_s: float, wait: Callable[[float], Any] = time.sleep, until: float) -> None:
        """Tick until the process has ended or the monotonic clock says ``until``."""
        while self.tick() and self._clock.monotonic() < until:
            wait(interval_s)

    def close(self) -> None:
        """End every run; the files stay JSON lines."""
        for run in self._runs.values():
            run.close()
        self._runs.clear()

    def _find_children(self) -> list[psutil.Process]:
        try:
            return self._root.children(recursive=True)
        except psutil.Error:
            return []

    def _add(self, process: psutil.Process) -> None:
        try:
            run = _OutsideRun(process, self.service, self._ledger, self._argv, self._clock)
        except psutil.Error:  # it has ended meanwhile
            return
        self._runs[process.pid] = run
        self.n_processes += 1


class _OutsideRun:
    """One process from outside."""

    def __init__(self, process: psutil.Process, service: str, ledger: Path, argv: ArgvMode, clock: Clock) -> None:
        started = clock.wall()
        row = make_run_row(service, started=started) | {
            "run_id": make_run_id(started, pid=process.pid),
            "pid": process.pid,
            "argv": select_arguments(process.cmdline(), argv),
            "python": None,
            "git_commit": None,
            "packages": None,
        }
        self._process = process
        self._clock = clock
        self._reader = SampleReader(pid=process.pid, clock=clock)
        self._writer = LedgerWriter(ledger.absolute(), run=row)
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
        self._writer.append("samples", [sample | {"seq": self._seq, "label": None}])
        self._seq += 1
        return True

    def close(self) -> None:
        """End the run."""
        self._reader.close()
        self._writer.close(ended=self._clock.wall(), seal=False)


def _name_service(process: psutil.Process) -> str:
    """Name of the script that a Python runs, else of the program."""
    for argument in process.cmdline()[1:]:
        if argument.endswith(".py"):
            return Path(argument).stem
    return process.name() or f"pid-{process.pid}"
