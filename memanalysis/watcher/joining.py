"""How does a process join the ledger of ``memanalysis run``? The program at once, its children at their first tick.

This module is imported as Python starts, in every process of the program, so it loads next to nothing: the rest is
loaded when recording begins. A child that ends before its first regular tick leaves nothing. A longer one begins its
run in a thread, and ends it as the program's own exit handlers are through.
"""

import atexit
import os
import sys
import time
from _thread import allocate_lock, get_native_id, start_new_thread

from memanalysis._forked_child import defer, settle
from memanalysis.standard_library import standard_library_first
from memanalysis.watcher.run_request import RESTART_VARIABLE, RUN_VARIABLE, read_program_pid
from memanalysis.watcher.tick_loop import TickThread, call_after_fork, forget_pending, wait_until_unlisted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from memanalysis.watcher.recorder import Recorder

__all__ = ["LateStart", "Membership", "join_ledger", "show_next_step"]

BEGIN_TIMEOUT_S = 5.0
"""A process that ends or forks while its recorder is being loaded waits for it no longer than this."""

HALF_IMPORTED_S = 0.2
"""What the program was importing as the recorder was loaded is loaded once more after that."""

_PYTHONS_OWN = ("multiprocessing.resource_tracker",)
"""Processes of Python's own that do nothing worth watching."""

_membership: "Membership | None" = None


def join_ledger(*, at_once: bool = False) -> None:
    """Begin to watch this process as the environment defines; raises nothing.

    Parameters
    ----------
    at_once : bool
        Load the recorder now, also in a child: later, modules of the program would take the place of Python's.
    """
    global _membership
    try:
        pid, interval_s, options_json = os.environ[RUN_VARIABLE].split(" ", 2)
        if any(own in argument for argument in sys.orig_argv for own in _PYTHONS_OWN) or _is_subinterpreter():
            return
        _membership = Membership(float(interval_s), options_json)
        atexit.register(_membership.end)
        if int(pid) == (os.getppid() if sys.platform == "win32" else os.getpid()):
            _membership.begin(is_program=True)
        else:
            if at_once:
                _membership.load()
            _membership.begin_later()
        if hasattr(os, "register_at_fork"):
            defer()
            os.register_at_fork(
                before=_membership.before_fork,
                after_in_child=_membership.join_as_child,
            )
    except Exception as exc:  # the program runs on unwatched, whatever is wrong with us
        _warn(exc)


class Membership:
    """What this process has to do with the ledger: nothing yet, a thread that waits for its first tick, or a recorder.

    Parameters
    ----------
    interval_s : float
        Seconds until a child's first tick.
    options_json : str
        Arguments of ``watch``.
    """

    def __init__(self, interval_s: float, options_json: str) -> None:
        self._interval_s = interval_s
        self._options_json = options_json
        self._recorder: Recorder | None = None
        self._late: LateStart | None = None
        self._had_logging = "logging" in sys.modules
        self._program_pid: int | None = None
        self._worker_ending: dict[str, Any] | None = None

    def load(self) -> "Recorder":
        """Make the recorder, for which most of the package is imported."""
        settle()
        if self._recorder is None:
            with standard_library_first():
                import json

                from memanalysis.watcher.watch import watch

                options: dict[str, Any] = json.loads(self._options_json)
                self._recorder = watch(options.pop("service"), **options)
        return self._recorder

    def begin(self, *, is_program: bool = False) -> None:
        """Load the recorder and start it; where it cannot, that is logged."""
        self._program_pid = os.getpid() if is_program else None
        try:
            recorder = self.load() if is_program else self._load_beside_the_program()
            recorder.start()
            _note_restart(recorder)
            atexit.unregister(recorder.stop_at_exit)  # `end` does it, after the program's own exit handlers
        except (Exception, SystemExit) as exc:  # a module of the program's that took the place of one of ours
            _warn(exc)

    def _load_beside_the_program(self) -> "Recorder":
        """Load while the program's own thread may be importing: what was half there is whole a moment later.

        Python gives a module of a package out while another thread is importing the package: `collections.abc`, which
        Python 3.13 replaces by another module at that moment, is one.
        """
        try:
            return self.load()
        except ImportError:
            time.sleep(HALF_IMPORTED_S)
            return self.load()

    def begin_later(self) -> None:
        """Begin at the first regular tick, in a thread."""
        try:
            self._late = LateStart(self._interval_s, self.begin)
        except RuntimeError:  # a limit on threads: a child that is not watched, and nothing else
            self._late = None

    def end(self) -> None:
        """Stop the recorder as the interpreter or a worker of `multiprocessing` ends."""
        self._end_late()
        if self._recorder is not None:
            self._recorder.stop_at_exit()
            if self._recorder.restart.is_requested:
                from memanalysis.response.restart import leave_now

                leave_now()
            if self._program_pid == os.getpid():  # and not a child that was forked
                show_next_step(str(self._recorder.settings.ledger))

    def end_worker(self) -> None:
        """Stop the recorder of a worker, whose files stay JSON lines."""
        self._end_late()
        if self._recorder is not None:
            self._recorder.stop_at_exit(may_seal=False, ending=self._worker_ending)

    def note_worker_error(self, error: BaseException) -> None:
        """Note the exception that ends a worker; raises nothing."""
        try:
            if self._recorder is not None:
                from memanalysis.watcher.run_ending import describe_error

                self._worker_ending = describe_error(error, self._recorder.settings.argv)
        except Exception as exc:
            _warn(exc)

    def _end_late(self) -> None:
        """Wait until the thread that waits has ended, and what it began is loaded.

        Modules that are half imported would hold up the interpreter's end. A thread that the system has not run yet
        would use what the interpreter has freed by then, and crash the process.
        """
        late, self._late = self._late, None
        if late is not None:
            late.cancel()
            late.join(BEGIN_TIMEOUT_S)

    def before_fork(self) -> None:
        """Let no fork happen while the recorder is being loaded: the child would find locks that nobody releases."""
        late = self._late
        if late is None or late.is_current() or _is_snapshot_fork():
            return
        was_waiting = late.cancel()
        late.join(BEGIN_TIMEOUT_S)
        if was_waiting:
            call_after_fork(self._wait_on)
        else:
            self._late = None
            if not self._had_logging:
                _hold_logging_lock()
            ticker = sys.modules.get("memanalysis.watcher.ticker")
            if ticker is not None:  # its own hook came too late for this fork
                ticker.pause_for_fork()

    def _wait_on(self) -> None:
        """Go on in the parent."""
        late, self._late = self._late, None
        try:
            self._late = None if late is None else late.renew()
        except RuntimeError:  # a limit on threads
            return

    def join_as_child(self) -> None:
        """Begin a run of its own in a forked child, later; what is done here costs every fork."""
        if _is_snapshot_fork():
            return
        forget_pending()
        tracemalloc = sys.modules.get("tracemalloc")
        if tracemalloc is not None and tracemalloc.is_tracing():  # a window of the parent's: not for this child
            settle()
        self.begin_later()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:  # its workers end without the interpreter's exit handlers
            util.register_after_fork(self, _end_with_worker)


def show_next_step(ledger: str) -> None:
    """Write the command that shows what was recorded, for a person: to a terminal, and never into a file or a pipe."""
    try:
        if os.isatty(2):
            near = os.path.relpath(ledger)
            path = near if len(near) < len(ledger) else ledger
            is_plain = all(character.isalnum() or character in "/._-" for character in path)
            os.write(2, f"memanalysis: next: memanalysis report {path if is_plain else ascii(path)}\n".encode())
    except OSError:  # closed, or the working folder is gone
        return


class LateStart:
    """Waits for a moment, and then begins in a thread of its own, unless it was cancelled first.

    The waiting thread is one of `_thread`: `threading` would hold up each fork until the new thread has run.

    Parameters
    ----------
    wait_s : float
        Seconds to wait.
    begin : callable
        Raises nothing.

    Raises
    ------
    RuntimeError
        The system refuses a thread.
    """

    def __init__(self, wait_s: float, begin: "Callable[[], None]") -> None:
        self._begin = begin
        self._pid = os.getpid()
        self._at = time.monotonic() + wait_s
        self._native_id = 0
        self._thread: TickThread | None = None
        self._claim = allocate_lock()
        self._wake = allocate_lock()
        self._wake.acquire()
        self._waiting = allocate_lock()
        self._waiting.acquire()
        start_new_thread(self._wait_and_begin, ())

    def cancel(self) -> bool:
        """Have the waiting thread end; False when it has begun."""
        if not self._claim.acquire(blocking=False):
            return False
        self._wake.release()
        return True

    def renew(self) -> "LateStart":
        """Wait for the same moment once more."""
        return LateStart(self._at - time.monotonic(), self._begin)

    def is_current(self) -> bool:
        """Return whether the thread that begins asks."""
        return self._thread is not None and self._thread.is_current()

    def join(self, timeout_s: float) -> None:
        """Wait until both threads have ended, but not longer than that; in a fork that no hook saw there are none."""
        if os.getpid() != self._pid:
            return
        if self._waiting.acquire(timeout=timeout_s):
            wait_until_unlisted(self._native_id)
        if self._thread is not None and not self.is_current():
            self._thread.wait_until_gone(timeout_s)

    def _wait_and_begin(self) -> None:
        self._native_id = get_native_id()
        try:
            left_s = max(0.0, self._at - time.monotonic())
            if not self._wake.acquire(timeout=left_s) and self._claim.acquire(blocking=False):
                self._thread = TickThread(self._begin)
                self._thread.start()
        except RuntimeError:  # a limit on threads: a child that is not watched, and nothing else
            self._thread = None
        finally:
            self._waiting.release()


def _note_restart(recorder: "Recorder") -> None:
    """Record, in the program alone, that it was started again after it left."""
    text = os.environ.get(RESTART_VARIABLE)
    if text is None or read_program_pid() != os.getpid():
        return
    import json

    earlier = json.loads(text)
    found = "" if earlier["verdict"] is None else f" {earlier['verdict']['sentence']}"
    message = (
        f"Restart {earlier['number']}: process {earlier['pid']} left with code {earlier['exit_code']} "
        f"after {earlier['lasted_s']:.0f} s.{found}"
    )
    recorder.record_event("restart", level="info", message=message, data=earlier)


def _end_with_worker(membership: Membership) -> None:
    from multiprocessing.util import Finalize

    from memanalysis.watcher.worker_error import note_printed_error

    Finalize(None, membership.end_worker, exitpriority=0)
    note_printed_error(membership.note_worker_error)


def _hold_logging_lock() -> None:
    """Do in a hook before a fork what `logging` would have done, had it not been imported amid the fork.

    Python gathers the hooks before it calls the first, so those that `logging` registered while this process waited for
    the recorder to be loaded are called after the fork alone, where they release a lock.
    """
    lock = getattr(sys.modules.get("logging"), "_lock", None)
    if lock is not None and not lock._is_owned():
        lock.acquire()


def _is_snapshot_fork() -> bool:
    forking = sys.modules.get("memanalysis.capture.forking")
    is_forking = getattr(forking, "is_forking", None)  # absent while it is being imported
    return is_forking is not None and bool(is_forking())


def _is_subinterpreter() -> bool:
    """Return whether this is not the main interpreter, which alone is watched: threads there would outlive it."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # from Python 3.13 on, and before
        try:
            interpreters = __import__(name)
        except ImportError:
            continue
        return bool(interpreters.get_current() != interpreters.get_main())
    return False


def _warn(exc: BaseException) -> None:
    import logging

    logging.getLogger("memanalysis").warning(
        "memanalysis could not watch this program, which goes on: %s: %s", type(exc).__name__, exc
    )
