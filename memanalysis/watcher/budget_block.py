"""Give some code a memory budget: ``with memanalysis.budget("2 GiB"):``, or as a decorator.

The budget is a level of the resident memory of the whole process, as the system sees it when it decides whom to kill.
"""

import linecache
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from memanalysis._text import make_printable
from memanalysis.capture.name_sizes import find_largest_names
from memanalysis.capture.notebook_cells import display_file
from memanalysis.capture.user_frames import is_library_file
from memanalysis.capture.wrapper_frames import is_own_file, register_wrapper_frame
from memanalysis.errors import InvalidArgumentError, MemoryBudgetExceeded
from memanalysis.units import format_bytes, parse_bytes
from memanalysis.watcher.budget_guard import BudgetInterrupt, GuardedBlock, guard
from memanalysis.watcher.decorate import wrap_function

__all__ = ["budget", "convert_error", "cut_own_frames", "describe_breach", "parse_limit"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

MAX_FRAMES = 10_000
"""Frames of a stack that are visited at most."""

MAX_LINE_CHARACTERS = 120

register_wrapper_frame(__file__)


class budget:  # noqa: N801 - it is used as a verb, as contextlib.suppress is
    """Interrupt the code of a ``with`` block, or of a function, when the process goes over a memory budget.

    Parameters
    ----------
    limit : str or int
        Resident memory of the process, such as ``"2 GiB"``, or bytes. It counts all that the process holds, also from
        before and by other threads.

    Raises
    ------
    InvalidArgumentError
        No size, or not above zero.
    MemoryBudgetExceeded
        From the block: the process went over the budget, was refused memory beyond it, or is above it as it begins.

    Notes
    -----
    Inside the block the code is ended by a kind of KeyboardInterrupt, which ``except Exception`` does not catch. In the
    main thread and in others only the code of the block is interrupted. While it awaits, other tasks run on, and it is
    interrupted when it goes on. One call of C code runs to its end. Of several budgets each ends its own block.

    Examples
    --------
    >>> with budget("100 GiB"):
    ...     rows = [bytes(100) for _ in range(1000)]
    """

    def __init__(self, limit: str | int) -> None:
        self.limit_bytes = parse_limit(limit, call="budget")
        self._entered: dict[FrameType, list[GuardedBlock]] = {}

    def __enter__(self) -> Self:
        owner = sys._getframe(1)
        rss_bytes = guard.read_rss_bytes(limit_bytes=self.limit_bytes)
        if rss_bytes is not None and rss_bytes >= self.limit_bytes:
            raise MemoryBudgetExceeded(
                f"The memory budget is {format_bytes(self.limit_bytes)}, but the process holds "
                f"{format_bytes(rss_bytes)} before the block begins. Free memory first, or give a larger budget.",
                limit_bytes=self.limit_bytes,
                rss_bytes=rss_bytes,
            )
        block = GuardedBlock(
            self.limit_bytes,
            is_running=lambda frame: _is_on_stack(owner, frame),
            describe=lambda frame, rss: describe_breach(frame, limit_bytes=self.limit_bytes, rss_bytes=rss),
        )
        self._entered.setdefault(owner, []).append(block)
        guard.add(block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner = sys._getframe(1)
        blocks = self._entered[owner]
        block = blocks.pop()
        if not blocks:
            del self._entered[owner]
        try:
            converted = convert_error(block, error)
        finally:
            guard.remove(block)
        if converted is not None:
            raise converted.with_traceback(cut_own_frames(trace)) from (
                None if isinstance(error, BudgetInterrupt) else error
            )

    def __call__(self, function: FunctionT) -> FunctionT:
        """Decorate a function: each call is such a block."""
        return wrap_function(function, self, name="budget")


def parse_limit(limit: str | int, *, call: str) -> int:
    """Return the bytes of a budget.

    Raises
    ------
    InvalidArgumentError
        No size, or not above zero.
    """
    if isinstance(limit, bool) or not isinstance(limit, str | int):
        raise InvalidArgumentError(f"{call} needs a size such as '2 GiB', or bytes, but got {limit!r}.")
    limit_bytes = parse_bytes(limit) if isinstance(limit, str) else limit
    if limit_bytes <= 0:
        raise InvalidArgumentError(f"{call} needs a size above zero, but got {limit!r}.")
    return limit_bytes


def convert_error(block: GuardedBlock, error: BaseException | None) -> MemoryBudgetExceeded | None:
    """Return the error that a block ends with; None where its budget has no part in it.

    A block that was interrupted, caught that and came to its end was cut all the same.
    """
    if isinstance(error, BudgetInterrupt):
        return block.error if error.block is block else None
    if isinstance(error, MemoryError) and not isinstance(error, MemoryBudgetExceeded):
        if not (guard.refuses_allocations and guard.is_tightest(block)):
            return None
        with guard.describing(block):
            return _describe_refusal(block, error)
    return block.error if error is None else None


def _describe_refusal(block: GuardedBlock, error: MemoryError) -> MemoryBudgetExceeded:
    rss_bytes = guard.read_rss_bytes()
    refused = (
        f"An allocation beyond the memory budget of {format_bytes(block.limit_bytes)} was refused before it was "
        f"made{_find_user_place(_list_frames(error.__traceback__))}: {make_printable(error) or 'MemoryError'}."
    )
    frame = _find_innermost(error.__traceback__)
    if rss_bytes is not None and rss_bytes > block.limit_bytes:  # faster than the guard reads
        held = describe_breach(frame, limit_bytes=block.limit_bytes, rss_bytes=rss_bytes)
        text = f"{held} {refused}"
    else:
        text = f"{refused} The process holds {format_bytes(rss_bytes)}.{_describe_names(frame)}"
    return MemoryBudgetExceeded(text, limit_bytes=block.limit_bytes, rss_bytes=rss_bytes)


def describe_breach(frame: FrameType | None, *, limit_bytes: int, rss_bytes: int | None) -> str:
    """Return what the process held, at which line, and which variables hold the most."""
    frames: list[tuple[str, int]] = []
    step = frame
    while step is not None and len(frames) < MAX_FRAMES:
        frames.append((step.f_code.co_filename, step.f_lineno))
        step = step.f_back
    growing = guard.sampling.find_line()
    where = _find_user_place(frames if growing is None else [growing, *frames])
    text = f"The process holds {format_bytes(rss_bytes)}, over its memory budget of {format_bytes(limit_bytes)}{where}."
    return text + _describe_names(frame)


def _describe_names(frame: FrameType | None) -> str:
    """Return a sentence on the variables that hold most, with a space before it; empty where there is none."""
    names = find_largest_names(frame)
    held = ", ".join(f"`{name.name}` ({name.type_name}) {format_bytes(name.size_bytes)}" for name in names)
    return f" Most is held by {held}." if held else ""


def cut_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Cut what lies within memanalysis off the inner end of a traceback: it is not where the code was."""
    last, step = None, trace
    while step is not None:
        if not is_own_file(step.tb_frame.f_code.co_filename):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
    return trace


def _find_user_place(frames: list[tuple[str, int]]) -> str:
    """The innermost line of the user's code, with its text."""
    for file, line in frames:
        if not is_library_file(file):
            text = linecache.getline(file, line).strip()[:MAX_LINE_CHARACTERS]
            return f", at {display_file(file)}:{line}" + (f": `{make_printable(text)}`" if text else "")
    return ""


def _find_innermost(trace: TracebackType | None) -> FrameType | None:
    frame = None
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
    return frame


def _list_frames(trace: TracebackType | None) -> list[tuple[str, int]]:
    """Frames of a traceback, the innermost first."""
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return frames[::-1]


def _is_on_stack(owner: FrameType, frame: FrameType | None) -> bool:
    for _ in range(MAX_FRAMES):
        if frame is None or frame is owner:
            break
        frame = frame.f_back
    return frame is owner
