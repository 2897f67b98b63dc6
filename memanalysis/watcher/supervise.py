"""Run a program, and start it again each time that it leaves with the code of a restart, as a service manager would.

The one who supervises is another process, so it gives the program the signals that it gets, and ends as the program
ends. It is the parent of the program too: it notes in each run with which status it ended, as nobody else can of one
that was killed. The next run has an event ``restart`` with the code, the wait and the verdict on the run before.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NoReturn

from memanalysis.errors import CaptureError
from memanalysis.schema import RESTART_EXIT_CODE
from memanalysis.units import format_duration
from memanalysis.watcher.run_request import RESTART_VARIABLE

__all__ = ["Backoff", "EarlierRun", "judge_run", "supervise_program"]

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
"""The program is started again after a second, and after twice as long each time that it did not last."""

LASTING_S = 600.0
"""A program that ran for so long before is started again after a second."""

JUDGE_TIMEOUT_S = 60.0
"""A verdict that takes longer is left to those who read the ledger."""

_FORWARDED = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
_ENDING = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT")
"""Whoever sends one of these wants no restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """What the next run's event records of the one before.

    Parameters
    ----------
    number : int
        How many times the program has been started again, this one included.
    pid, exit_code : int
        Of the process that left.
    lasted_s, waited_s : float
        Seconds that it ran, and that passed until the next start.
    verdict : dict or None
        What `assess` finds in the ledger about it; None where it finds nothing, or pandas is not installed.
    """

    number: int
    pid: int
    exit_code: int
    lasted_s: float
    waited_s: float
    verdict: Mapping[str, Any] | None


class Backoff:
    """How long to wait before the next start.

    Examples
    --------
    >>> backoff = Backoff()
    >>> [backoff.next_wait_s(lasted_s=5.0) for _ in range(4)], backoff.next_wait_s(lasted_s=3600.0)
    ([1.0, 2.0, 4.0, 8.0], 1.0)
    """

    def __init__(self) -> None:
        self._wait_s = FIRST_WAIT_S

    def next_wait_s(self, *, lasted_s: float) -> float:
        """Return the seconds to wait, and wait longer the next time unless the program lasts."""
        if lasted_s >= LASTING_S:
            self._wait_s = FIRST_WAIT_S
        wait_s, self._wait_s = self._wait_s, min(MAX_WAIT_S, 2 * self._wait_s)
        return wait_s


def supervise_program(
    make_command: Callable[[Mapping[str, str]], tuple[Sequence[str], Mapping[str, str]]],
    *,
    judge: Callable[[int], Mapping[str, Any] | None],
    note_end: Callable[[int, int, float], object],
) -> int:
    """Run a program until it ends for good, and return its exit code.

    Parameters
    ----------
    make_command : callable
        Called in the child before it becomes the program, with the child's environment. Returns the command line and
        the environment to start the program with.
    judge : callable
        Given the pid of a run that has ended: what is found about it.
    note_end : callable
        Given the pid of each run that has ended, its exit code, or less than 0 the signal that ended it, and when it
        was started, in epoch seconds. Whatever it raises is printed, and changes nothing.

    Raises
    ------
    CaptureError
        The system has no `signal.sigtimedwait`.
    """
    if sys.platform != "linux":
        raise CaptureError(
            "memanalysis run --supervise needs Linux. Elsewhere, have the service manager start the program again when "
            f"it exits with {RESTART_EXIT_CODE}."
        )
    signals = {signal.Signals[name] for name in _FORWARDED} | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    backoff, number, earlier = Backoff(), 0, None
    while True:
        started, started_at = time.monotonic(), time.time()
        pid = _start(make_command, earlier, mask=before)
        code, is_stopping = _wait_for(pid, signals)
        _note(partial(note_end, pid, code, started_at))
        if code != RESTART_EXIT_CODE or is_stopping:
            break
        left, number = time.monotonic(), number + 1
        wait_s = backoff.next_wait_s(lasted_s=left - started)
        wait = format_duration(wait_s)
        _write(f"the program left to be restarted. It is judged and started again, in {wait} at the earliest.")
        verdict = judge(pid)
        if _is_stopped_within(left + wait_s - time.monotonic(), signals):
            break
        waited_s = time.monotonic() - left
        earlier = EarlierRun(
            number=number, pid=pid, exit_code=code, lasted_s=left - started, waited_s=waited_s, verdict=verdict
        )
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _end_like(code)


def judge_run(pid: int, *, ledger: str, service: str, policy: str | None) -> Mapping[str, Any] | None:
    """Return the verdict on the run of a process that has ended, from a process of its own; None without one."""
    selection = ["--service", service, "--all", "--format", "json", *(["--policy", policy] if policy else [])]
    command = [sys.executable, "-m", "memanalysis", "assess", ledger, *selection]
    try:
        done = subprocess.run(  # noqa: S603  this Python, with this package
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=JUDGE_TIMEOUT_S, check=True
        )
        rows = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    known = [row for row in rows if f"-{pid}-" in str(row.get("run_id"))]
    return max(known, key=lambda row: str(row["run_id"]), default=None)  # the latest: they begin with their time


def _start(
    make_command: Callable[[Mapping[str, str]], tuple[Sequence[str], Mapping[str, str]]],
    earlier: EarlierRun | None,
    *,
    mask: set[int | signal.Signals],
) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become(make_command, earlier, mask)
    return pid


def _become(
    make_command: Callable[[Mapping[str, str]], tuple[Sequence[str], Mapping[str, str]]],
    earlier: EarlierRun | None,
    mask: set[int | signal.Signals],
) -> NoReturn:
    try:
        known = {} if earlier is None else {RESTART_VARIABLE: json.dumps(asdict(earlier))}
        command, environment = make_command({**os.environ, **known})
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execve(command[0], list(command), environment)  # noqa: S606  the program that was asked for
    except BaseException as exc:  # this is a copy of the one who supervises, and must not go on as it
        os.write(2, f"memanalysis: error: the program could not be started: {exc}\n".encode())
    os._exit(127)


def _wait_for(pid: int, signals: set[signal.Signals]) -> tuple[int, bool]:
    """Wait for the program's end and give it the signals that come: its exit code, and whether it was to end."""
    is_stopping = False
    while True:
        info = signal.sigwaitinfo(signals)
        if info.si_signo != signal.SIGCHLD:
            is_stopping = is_stopping or signal.Signals(info.si_signo).name in _ENDING
            if info.si_code <= 0:  # sent by a process; the terminal gives its signals to the program itself
                os.kill(pid, info.si_signo)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == pid:
            return os.waitstatus_to_exitcode(status), is_stopping


def _note(note_end: Callable[[], object]) -> None:
    try:
        note_end()
    except (
        Exception
    ) as exc:  # the boundary of the ledger: the exit code of the program is to be passed on whatever it is
        _write(f"how the program ended could not be noted in its run: {type(exc).__name__}: {exc}")


def _is_stopped_within(seconds: float, signals: set[signal.Signals]) -> bool:
    """Wait, and return whether somebody wants the end meanwhile."""
    until = time.monotonic() + seconds
    while True:
        info = signal.sigtimedwait(signals, max(0.0, until - time.monotonic()))
        if info is None:
            return False
        if signal.Signals(info.si_signo).name in _ENDING:
            return True


def _end_like(code: int) -> int:
    """Return the exit code, or end by the signal that ended the program."""
    if code < 0:
        import resource  # only here, and not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _write(text: str) -> None:
    sys.stderr.write(f"memanalysis: {text}\n")
    sys.stderr.flush()
