"""Have the program leave in order, so that whoever runs it starts it again.

Its own handler drains it. Without one it is asked by SIGTERM, as a service manager would: servers drain then, and a
program that does not handle that signal gets `SystemExit` in its main thread, so its ``finally`` blocks and exit
handlers run. The exit code is 75, "try again" (``EX_TEMPFAIL`` of sysexits.h), by which systemd, Kubernetes and
``memanalysis run --supervise`` know that it wants to be started again.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from memanalysis.errors import InvalidArgumentError
from memanalysis.schema import RESTART_EXIT_CODE

__all__ = ["CHILD", "LEAVE_WITHIN_S", "Restart", "leave_now"]

_LOGGER = logging.getLogger("memanalysis")

LEAVE_WITHIN_S = 60.0
"""A program that has not left so long after it was asked is ended without its exit handlers."""

WORKER = "it is a worker of multiprocessing, whose parent waits for its result"
NOTEBOOK = "it is a notebook, whose variables would be lost"
CHILD = "it is a child of the program that was started"


class Restart:
    """Asks this process to leave, once.

    Attributes
    ----------
    is_requested : bool
        Whether the program was asked to leave. A loop of its own may check it.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._handler: Callable[[], object] | None = None
        self._within_s = LEAVE_WITHIN_S
        self._is_installed = False

    @property
    def exit_code(self) -> int:
        """Code to leave with: 75 where the program was asked to, else 0."""
        return RESTART_EXIT_CODE if self.is_requested else 0

    def register(self, handler: Callable[[], object], *, within_s: float = LEAVE_WITHIN_S) -> None:
        """Register what drains the program; another one replaces it.

        Parameters
        ----------
        handler : callable
            Called without arguments, in a thread of its own. It begins to drain the program, which leaves by itself.
        within_s : float
            The program is ended, without its exit handlers, where it has not left by then.
        """
        if not callable(handler) or not within_s > 0:
            raise InvalidArgumentError(
                f"register needs a callable without arguments and within_s above 0 seconds, but got "
                f"{type(handler).__name__} and {within_s!r}. Pass server.shutdown, for example."
            )
        self._handler, self._within_s = handler, within_s

    def install(self) -> None:
        """In the main thread, have SIGTERM end the program in order where it does nothing about that signal."""
        if threading.current_thread() is not threading.main_thread() or self._is_installed:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)
            self._is_installed = True
            _restore_in_children()

    def uninstall(self) -> None:
        """Leave SIGTERM as it was, where that is possible."""
        if self._is_installed and threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._is_installed = False

    def find_obstacle(self, program_pid: int | None) -> str | None:
        """Return why this process cannot be restarted; None where it can.

        Parameters
        ----------
        program_pid : int or None
            The program that ``memanalysis run`` started; None without one.
        """
        if self._handler is not None:
            return None
        multiprocessing = sys.modules.get("multiprocessing.process")
        if multiprocessing is not None and multiprocessing.parent_process() is not None:
            return WORKER
        if "ipykernel.kernelapp" in sys.modules:
            return NOTEBOOK
        return CHILD if program_pid not in (None, os.getpid()) else None

    def request(self, end: Callable[[], object]) -> None:
        """Ask the program to leave; nothing more where it was asked before.

        Parameters
        ----------
        end : callable
            Ends the recording, where the program has to be ended.
        """
        if self.is_requested:
            return
        self.is_requested = True
        threading.Thread(target=self._drain, args=(end,), name="memanalysis-restart", daemon=True).start()

    def _drain(self, end: Callable[[], object]) -> None:
        if not self._call_handler():
            _ask_to_end()
        threading.Event().wait(self._within_s)  # where the program leaves, this thread ends with it
        _LOGGER.error("The program has not left %g s after it was asked to, and is ended.", self._within_s)
        with contextlib.suppress(Exception):  # it ends, whatever the recording does
            end()
        leave_now()

    def _call_handler(self) -> bool:
        """Whether a handler of the program began to drain it."""
        if self._handler is None:
            return False
        try:
            self._handler()
        except Exception:  # code of the program: it is asked in the other way then
            _LOGGER.warning("The restart handler failed. The program is asked by SIGTERM.", exc_info=True)
            return False
        return True

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if self.is_requested:
            raise SystemExit(RESTART_EXIT_CODE)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def leave_now() -> None:
    """End this process with the code of a restart: without exit handlers, but with what it has written."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or a pipe that nobody reads
            stream.flush()
    if "ctypes" in sys.modules:
        with contextlib.suppress(Exception):  # no C library whose buffers could be flushed
            sys.modules["ctypes"].CDLL(None).fflush(None)
    os._exit(RESTART_EXIT_CODE)


def _ask_to_end() -> None:
    """Send SIGTERM to this process; where nothing handles that, raise in the main thread what it would raise."""
    if sys.platform != "win32" and callable(signal.getsignal(signal.SIGTERM)):
        os.kill(os.getpid(), signal.SIGTERM)
        return
    import ctypes  # only here: watching was started in another thread, or on Windows

    main = threading.main_thread().ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main or 0), ctypes.py_object(_Leave))


class _Leave(SystemExit):
    """Raised in the main thread: an asynchronous exception is given as a class."""

    def __init__(self) -> None:
        super().__init__(RESTART_EXIT_CODE)


_has_fork_hook = False


def _restore_in_children() -> None:
    """In forked children SIGTERM does what it did: they may be amid a call of C code when it comes."""
    global _has_fork_hook
    if _has_fork_hook or not hasattr(os, "register_at_fork"):
        return
    _has_fork_hook = True
    os.register_at_fork(after_in_child=_restore)


def _restore() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    if isinstance(getattr(handler, "__self__", None), Restart):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
