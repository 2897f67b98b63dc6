"""Do expensive work while the program runs on: in a forked copy of the process, which hands back its answer.

The program stops for the fork alone (some 10 ms with a million traced blocks). The copy closes every descriptor but the
pipe, so that a connection which the program ends is not held open; it forgets the program's signal handlers, runs at a
lower priority, and is killed and reaped when it takes too long.

The copy is a child of the program while it works. So none is made where the program handles SIGCHLD, has children for
which it may be waiting, or has hooks for forks. What remains: a program that has none of these and starts to wait for
any child at that moment, and a hook that a C library registered with ``pthread_atfork``.
"""

import contextlib
import gc
import marshal
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from memanalysis._children import find_child_watch
from memanalysis._descriptors import OwnDescriptor
from memanalysis.capture.fork_hooks import find_fork_hooks

try:  # the system's own: gevent replaces those of os by its own, which start or ask its loop
    from posix import fork as _fork
    from posix import waitpid as _waitpid
except ImportError:
    _fork = None  # type: ignore[assignment]

__all__ = ["DEFAULT_TIMEOUT_S", "ForkAnswer", "find_fork_obstacle", "is_forking", "run_in_fork"]

DEFAULT_TIMEOUT_S = 30.0
"""A copy that has not answered by then is killed: ten times what a million blocks take on a busy machine."""

READ_BYTES = 1 << 20
LENGTH_BYTES = 8
POLL_MS = 250.0
"""How often the copy is checked while it is silent: another child of the program may hold the pipe open."""

MAX_DESCRIPTORS = 1 << 20
NICENESS = 10
"""The copy gives way to the program where both want a processor."""

_RESET_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGALRM")

_forking = False


@dataclass(frozen=True, slots=True)
class ForkAnswer:
    """What came of a fork.

    Parameters
    ----------
    value
        What the work gave; None when it failed.
    pause_s : float
        Seconds that the program stood still for the fork.
    error : str or None
        Why there is no value.
    """

    value: Any
    pause_s: float
    error: str | None


def is_forking() -> bool:
    """Return whether a fork that runs now is one of these: what watches forks of the program leaves it alone."""
    return _forking


def find_fork_obstacle() -> str | None:
    """Return why this process must not be copied, or None where it may be."""
    if _fork is None:
        return "this system does not fork"
    if sys.platform != "linux":
        return f"copies of a process are not safe on {sys.platform}"
    noticed = find_child_watch() or find_fork_hooks()
    if noticed is not None:
        return noticed
    torch = sys.modules.get("torch")
    if torch is not None and _uses_cuda(torch):
        return "CUDA is in use"
    try:
        maps = Path("/proc/self/maps").read_bytes()
    except OSError:
        return "the memory map cannot be read, so CUDA cannot be ruled out"
    return "CUDA is loaded" if b"/libcuda.so" in maps else None


def run_in_fork(work: Callable[[], Any], *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ForkAnswer:
    """Run ``work`` in a copy of this process, and give what it returned.

    Parameters
    ----------
    work : callable
        Returns what `marshal` can write. It must not import, nor wait for a lock: no other thread runs in the copy.
    timeout_s : float
        Seconds after which the copy is killed.
    """
    reading, writing = os.pipe()
    read_end, write_end = OwnDescriptor(reading), OwnDescriptor(writing)
    started = time.perf_counter()
    try:
        pid = _fork_quietly()
    except OSError as exc:
        read_end.close()
        write_end.close()
        return ForkAnswer(None, time.perf_counter() - started, f"the system refused the fork: {exc.strerror}")
    if pid == 0:
        _answer_and_exit(work, write_end.number, timeout_s)
    pause_s = time.perf_counter() - started
    write_end.close()
    try:
        data, in_time = _read_answer(read_end, pid, time.monotonic() + timeout_s)
    finally:
        read_end.close()
        _reap(pid)
    if not in_time:
        return ForkAnswer(None, pause_s, f"the copy had not answered after {timeout_s:g} s and was killed")
    try:
        return ForkAnswer(marshal.loads(data), pause_s, None)  # noqa: S302  written by our own copy, and holds no code
    except (EOFError, ValueError, TypeError):
        return ForkAnswer(None, pause_s, "the copy ended without an answer")


def _fork_quietly() -> int:
    """Fork without our own hooks, and without Python's warning that it is done beside threads."""
    global _forking
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__.replace(".", r"\."))
    _forking = True
    try:
        return _fork()
    finally:
        _forking = False


def _answer_and_exit(work: Callable[[], Any], write_end: int, timeout_s: float) -> NoReturn:
    """Do the work as the copy, and be gone whatever happens: nothing of the program runs in it again."""
    try:
        gc.disable()
        _become_quiet(write_end, timeout_s)
        answer = marshal.dumps(work())
        data = memoryview(len(answer).to_bytes(LENGTH_BYTES, "little") + answer)
        while data:
            data = data[os.write(write_end, data) :]
    except BaseException:  # the parent sees that no answer came; an exception must not run the program's own handlers
        os._exit(1)
    finally:
        os._exit(0)


def _become_quiet(write_end: int, timeout_s: float) -> None:
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)  # the other end is the program's event loop
    for name in _RESET_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            with contextlib.suppress(ValueError, OSError):
                signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)  # should nobody be left to kill it
    os.closerange(0, write_end)
    os.closerange(write_end + 1, min(max(os.sysconf("SC_OPEN_MAX"), write_end + 1), MAX_DESCRIPTORS))
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


def _read_answer(descriptor: OwnDescriptor, pid: int, deadline: float) -> tuple[bytes, bool]:
    """Read the copy's whole answer, or what there is when it ends; False when the deadline came first."""
    data = bytearray()
    poll = select.poll()
    poll.register(descriptor.number, select.POLLIN)
    while len(data) < LENGTH_BYTES or len(data) < LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little"):
        left_ms = (deadline - time.monotonic()) * 1000
        if left_ms <= 0:
            return b"", False
        is_ready = poll.poll(min(left_ms, POLL_MS))
        if descriptor.stat() is None:  # the program closed it, and the answer is lost
            break
        if is_ready:
            piece = os.read(descriptor.number, READ_BYTES)
            if not piece:
                break
            data += piece
        elif _has_ended(pid) and not poll.poll(0):
            break
    return bytes(data[LENGTH_BYTES:]), True


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # the program collected it
        return True


def _reap(pid: int) -> None:
    """Kill the copy if it still runs, and collect it; the program may have collected it already."""
    if not _has_ended(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        _waitpid(pid, 0)


def _uses_cuda(torch: Any) -> bool:
    try:
        return bool(torch.cuda.is_initialized())
    except Exception:  # half loaded, or another module of that name: not to be trusted with a fork
        return True
