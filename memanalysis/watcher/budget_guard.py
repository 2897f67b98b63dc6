"""Interrupt the code that goes over its memory budget: one thread that reads resident memory, while a budget holds.

It reads the more often the nearer a budget is, at most every 2 ms, and interrupts the thread that the budget belongs
to. In the main thread that happens as with Ctrl-C: Python's handler of SIGINT is wrapped, so it is known where the code
is at that moment, and no cleanup of ours is cut. The signal goes to that thread alone, and wakes it where it sleeps or
waits; where SIGINT is ignored, another serves. In another thread, or where somebody replaced the handler, it is an
asynchronous exception. Both arrive between two steps of Python code: a single call of C code runs to its end.
"""

import _thread
import contextlib
import ctypes
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from memanalysis._forked_child import call_in_child
from memanalysis.capture.growing_line import GrowthSampling
from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes
from memanalysis.capture.wrapper_frames import is_own_file
from memanalysis.errors import MemoryBudgetExceeded
from memanalysis.response.trim import return_free_memory
from memanalysis.units import format_bytes
from memanalysis.watcher.address_limit import AddressLimit

__all__ = ["BudgetGuard", "BudgetInterrupt", "GuardedBlock", "guard"]

MIN_PERIOD_S = 0.002
MAX_PERIOD_S = 0.1
"""Seconds between two readings."""

FASTEST_GROWTH_BYTES_PER_S = 8e9
"""Pages are hardly ever touched faster: what is left of the budget lasts until the next reading."""

REPEAT_GROWTH_SHARE = 0.02
"""Code that catches the interruption and grows by this share of its budget is interrupted again."""

REQUEST_INTERVAL_S = 0.02
"""Seconds between two attempts to interrupt code that could not be interrupted where it was."""

FOLLOW_INTERVAL_S = 0.05
"""Seconds between two settings of the system's limit, which follows what is freed and mapped meanwhile."""

MAX_CALLBACK_FRAMES = 50
"""Frames that are visited in search of a callback of the garbage collector."""

STOP_WITHIN_S = 5.0

STAND_INS = (signal.SIGURG, signal.SIGWINCH) if sys.platform != "win32" else ()
"""Signals that do nothing where nobody handles them: one serves where SIGINT is ignored, as under ``nohup`` or behind
``&`` in a script, and stays ignored in children."""

GENERATED_FILE = "<string>"
"""The file of methods such as ``__init__`` that ``dataclasses`` makes, and of a program given by ``python -c``."""

CHECKED_STEPS = 100
"""At the end of each step of a loop Python raises an asynchronous exception that waits."""


class BudgetInterrupt(KeyboardInterrupt):
    """Ends the code of a block. Not an Exception, so that ``except Exception`` in a loop of the user does not stop it.

    At the end of the block it becomes `MemoryBudgetExceeded`.
    """

    block: "GuardedBlock"


class GuardedBlock:
    """Some running code that has a budget.

    Parameters
    ----------
    limit_bytes : int
        Resident memory of the process.
    is_running : callable
        Given a frame of the block's thread: whether the block's code is on its stack.
    describe : callable
        Makes the message of the error, from that frame and resident memory.
    """

    def __init__(
        self,
        limit_bytes: int,
        *,
        is_running: Callable[[FrameType], bool],
        describe: Callable[[FrameType | None, int | None], str],
    ) -> None:
        self.limit_bytes = limit_bytes
        self.is_running = is_running
        self.describe = describe
        self.thread_id = threading.get_ident()
        self.error: MemoryBudgetExceeded | None = None
        self.interrupted_at_bytes: float = 0.0
        self.is_async = False

        class Interrupt(BudgetInterrupt):
            """Of this block."""

            block = self

        self.interrupt = Interrupt

    def may_interrupt(self, frame: FrameType | None) -> bool:
        """Whether the block's code runs at this frame, and neither code of ours nor of the garbage collector."""
        if frame is None or _is_own(frame) or _is_in_collection(frame):
            return False
        return self.is_running(frame)

    def note(self, frame: FrameType | None, rss_bytes: int | None) -> None:
        """Make the error while what the block holds is still there."""
        if self.error is None:
            try:
                message = self.describe(frame, rss_bytes)
            except MemoryError:  # a limit of the machine's own
                message = f"The process went over its memory budget of {format_bytes(self.limit_bytes)}."
            self.error = MemoryBudgetExceeded(message, limit_bytes=self.limit_bytes, rss_bytes=rss_bytes)


class BudgetGuard:
    """The blocks of this process that have a budget, and the thread that watches them."""

    def __init__(self) -> None:
        self._blocks: list[GuardedBlock] = []
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._reader = ProcessReader()
        self._address_limit = AddressLimit()
        self.sampling = GrowthSampling()
        self._requested: tuple[GuardedBlock, int] | None = None
        self._given_back_at_bytes = 0
        self._next_request_at = self._next_follow_at = 0.0
        self._previous_handler: Any = None
        self._signal: signal.Signals | None = None
        self._describers: dict[object, GuardedBlock] = {}
        call_in_child(self.forget_parent)

    @property
    def refuses_allocations(self) -> bool:
        """Whether an allocation that goes far beyond the budget may be refused."""
        return self._address_limit.is_refusing

    def read_rss_bytes(self, *, limit_bytes: int | None = None) -> int | None:
        """Resident memory of this process; where it is above a limit, without what the allocator holds free."""
        rss_bytes = self._reader.read_rss_bytes()
        if rss_bytes is None or limit_bytes is None or rss_bytes <= limit_bytes:
            return rss_bytes
        if (read_allocator_free_bytes() or 0) < rss_bytes - limit_bytes:
            return rss_bytes
        return_free_memory()
        return self._reader.read_rss_bytes()

    def add(self, block: GuardedBlock) -> None:
        """Watch a block from now on."""
        with self._lock:
            self._blocks.append(block)
            self._install_handler()
            self._follow()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memanalysis-budget", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, block: GuardedBlock) -> None:
        """Watch a block no more. The thread ends with the last one."""
        with self._lock:
            if block in self._blocks:
                self._blocks.remove(block)
            if self._requested is not None and self._requested[0] is block:
                self._requested = None
            _cancel_async(block)
            for describer in [each for each, its in list(self._describers.items()) if its is block]:
                self._describers.pop(describer, None)  # Ctrl-C at the very end of a description may leave one behind
            ended = None
            if self._blocks:
                self._follow()
            else:
                self._address_limit.restore()
                self.sampling.stop()
                self._remove_handler()
                ended, self._thread = self._thread, None
        self._wake.set()
        if ended is not None and ended is not threading.current_thread():
            ended.join(timeout=STOP_WITHIN_S)

    @contextlib.contextmanager
    def describing(self, block: GuardedBlock) -> Iterator[None]:
        """Refuse no memory and interrupt nobody meanwhile: to describe what is held takes some, and time."""
        describer = object()
        with self._lock:
            self._describers[describer] = block
            self._address_limit.restore()
        try:
            yield
        finally:
            self._describers.pop(describer, None)

    def is_tightest(self, block: GuardedBlock) -> bool:
        """Whether no other block has a lower budget: it is this one that made the system refuse."""
        return all(block.limit_bytes <= other.limit_bytes for other in list(self._blocks))

    def forget_parent(self) -> None:
        """In a forked child there is no budget: its memory is another process's."""
        self._blocks = []
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread = self._requested = None
        self._describers = {}
        self._address_limit.restore()

    def _run(self) -> None:
        period_s = 0.0
        while True:
            self._wake.wait(period_s)
            self._wake.clear()
            with self._lock:
                if self._thread is not threading.current_thread():
                    return
                rss_bytes = self._reader.read_rss_bytes()
                period_s = self._check(rss_bytes) if rss_bytes is not None else MAX_PERIOD_S

    def _check(self, rss_bytes: int) -> float:
        """Interrupt the block that is over its budget, the lowest and innermost of them; gives the time to wait.

        Code that never rests holds the GIL for 5 ms after each file that is read here, so first things come first.
        """
        over = [block for block in self._blocks if rss_bytes > block.limit_bytes]
        if over:
            block = min(reversed(over), key=lambda each: each.limit_bytes)
            if rss_bytes >= block.interrupted_at_bytes + REPEAT_GROWTH_SHARE * block.limit_bytes:
                rss_bytes = self._give_back(block, rss_bytes)
                if rss_bytes > block.limit_bytes:
                    self._interrupt(block, rss_bytes)
        now = time.monotonic()
        if now >= self._next_follow_at:
            self._next_follow_at = now + FOLLOW_INTERVAL_S
            self._follow()
        self.sampling.on_reading(rss_bytes)
        headroom = min((abs(block.limit_bytes - rss_bytes) for block in self._blocks), default=0)
        return min(MAX_PERIOD_S, max(MIN_PERIOD_S, headroom / FASTEST_GROWTH_BYTES_PER_S))

    def _give_back(self, block: GuardedBlock, rss_bytes: int) -> int:
        """Give memory back that is free already, before code is interrupted for it; not again at the same height."""
        if abs(rss_bytes - self._given_back_at_bytes) < REPEAT_GROWTH_SHARE * block.limit_bytes:
            return rss_bytes
        rss_bytes = self.read_rss_bytes(limit_bytes=block.limit_bytes) or rss_bytes
        self._given_back_at_bytes = rss_bytes
        return rss_bytes

    def _follow(self) -> None:
        if self._blocks and not self._describers:
            self._address_limit.follow(limit_bytes=min(block.limit_bytes for block in self._blocks))

    def _interrupt(self, block: GuardedBlock, rss_bytes: int) -> None:
        is_main = block.thread_id == threading.main_thread().ident
        if is_main and self._signal is not None and signal.getsignal(self._signal) == self._on_interrupt:
            now = time.monotonic()
            if self._requested is None and not self._describers and now >= self._next_request_at:
                self._requested, self._next_request_at = (block, rss_bytes), now + REQUEST_INTERVAL_S
                _interrupt_main_thread(self._signal)
            return
        frame = sys._current_frames().get(block.thread_id)
        if block.may_interrupt(frame):
            self._note(block, frame, rss_bytes)
            if not block.may_interrupt(sys._current_frames().get(block.thread_id)):  # it went on meanwhile
                block.interrupted_at_bytes = 0.0
                return
            block.is_async = True
            _raise_in_thread(block.thread_id, block.interrupt)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> Any:
        """Handle the signal in the main thread: a request of the guard, or what was handled before."""
        requested, self._requested = self._requested, None
        if requested is None:
            previous = self._previous_handler
            return previous(number, frame) if callable(previous) else None
        block, rss_bytes = requested
        if not self._describers and block.may_interrupt(frame):
            self._note(block, frame, rss_bytes)
            raise block.interrupt(str(block.error))
        return None

    def _note(self, block: GuardedBlock, frame: FrameType | None, rss_bytes: int) -> None:
        """Make the error of a block that is interrupted now."""
        block.interrupted_at_bytes = rss_bytes
        with self.describing(block):
            block.note(frame, rss_bytes)

    def _install_handler(self) -> None:
        if self._signal is not None or threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, *STAND_INS):
            previous = signal.getsignal(number)
            if callable(previous) or (previous == signal.SIG_DFL and number in STAND_INS):
                self._signal, self._previous_handler = number, previous
                signal.signal(number, self._on_interrupt)
                return

    def _remove_handler(self) -> None:
        if self._signal is not None and threading.current_thread() is threading.main_thread():
            if signal.getsignal(self._signal) == self._on_interrupt:
                signal.signal(self._signal, self._previous_handler)
            self._signal = self._previous_handler = None


def _is_own(frame: FrameType) -> bool:
    """Whether code of ours runs, or a method that was generated for a class of ours and has no file."""
    step: FrameType | None = frame
    while step is not None and step.f_code.co_filename == GENERATED_FILE and step.f_code.co_name.startswith("__"):
        step = step.f_back
    return step is not None and is_own_file(step.f_code.co_filename)


def _is_in_collection(frame: FrameType) -> bool:
    """Whether a callback of the garbage collector runs: what is raised there is printed, and goes no further."""
    codes = {getattr(each, "__code__", None) for each in gc.callbacks}
    step: FrameType | None = frame
    for _ in range(MAX_CALLBACK_FRAMES if codes else 0):
        if step is None:
            break
        if step.f_code in codes:
            return True
        step = step.f_back
    return False


def _interrupt_main_thread(number: signal.Signals) -> None:
    """Have Python's handler of a signal called in the main thread."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:  # Windows
        _thread.interrupt_main()


def _cancel_async(block: GuardedBlock) -> None:
    """Take back an asynchronous exception that has not arrived yet, by one that arrives here.

    CPython up to 3.12 notes in the interpreter that there is one, and clears that when it raises it, not when it is
    taken back. What stays set slows all code down, and on 3.11 the next traced function call never returns.
    """
    if block.is_async and block.thread_id == threading.get_ident():
        with contextlib.suppress(_Cancelled):
            _raise_in_thread(block.thread_id, _Cancelled)
            for _ in range(CHECKED_STEPS):  # Python raises it at the end of a step, if not at once
                pass


def _raise_in_thread(thread_id: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))


class _Cancelled(BaseException):
    """Stands in for an interruption that is no longer wanted."""


guard = BudgetGuard()
"""Of this process."""
