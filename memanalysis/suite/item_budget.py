"""Give one test a memory budget: what it adds to the resident memory of the process while its function runs.

Code that goes over it is interrupted there. What was only high for a moment is seen after the test, where the system
notes the highest point.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.capture.user_frames import is_library_file
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import MemoryBudgetExceeded
from memanalysis.response.trim import return_free_memory
from memanalysis.units import format_bytes
from memanalysis.watcher.budget_block import convert_error, describe_breach, parse_limit
from memanalysis.watcher.budget_guard import BudgetInterrupt, GuardedBlock, guard

__all__ = ["limit_item", "parse_limit"]

register_wrapper_frame(__file__)

MAX_FRAMES = 10_000


@contextmanager
def limit_item(limit_bytes: int, owner: FrameType, *, file: str) -> Iterator[None]:
    """Interrupt what runs below a frame when it adds more than a number of bytes.

    Parameters
    ----------
    limit_bytes : int
        Resident memory above that of the beginning.
    owner : frame
        On the stack as long as the test runs.
    file : str
        Of the test, which may lie among the installed packages.

    Raises
    ------
    MemoryBudgetExceeded
        From the block: more was added, or more was refused.
    """
    return_free_memory()
    start_bytes = guard.read_rss_bytes()
    if start_bytes is None:
        raise MemoryBudgetExceeded("memory_budget needs the resident memory of the process, which is not known here.")

    def describe(frame: FrameType | None, rss_bytes: int | None) -> str:
        held = describe_breach(frame, limit_bytes=start_bytes + limit_bytes, rss_bytes=rss_bytes)
        added = None if rss_bytes is None else rss_bytes - start_bytes
        return (
            f"The test added {format_bytes(added)} to the {format_bytes(start_bytes)} before it, "
            f"and its memory budget is {format_bytes(limit_bytes)}. {held}"
        )

    block = GuardedBlock(
        start_bytes + limit_bytes, is_running=lambda frame: _is_test_running(owner, frame, file), describe=describe
    )
    is_exact = mark_high_water()
    guard.add(block)
    try:
        yield
    except (BudgetInterrupt, MemoryError) as error:
        converted = convert_error(block, error)
        if converted is None:
            raise
        if isinstance(error, BudgetInterrupt):
            raise converted from None
        raise MemoryBudgetExceeded(
            f"The test has a memory budget of {format_bytes(limit_bytes)} above the {format_bytes(start_bytes)} before "
            f"it. {converted}",
            limit_bytes=block.limit_bytes,
            rss_bytes=converted.rss_bytes,
        ) from error
    finally:
        guard.remove(block)
    resident = read_resident() if is_exact else None
    if block.error is not None:
        raise block.error
    if resident is not None and resident.highest_bytes > block.limit_bytes:
        raise MemoryBudgetExceeded(
            f"The test added {format_bytes(resident.highest_bytes - start_bytes)} for a moment to the "
            f"{format_bytes(start_bytes)} before it, and its memory budget is {format_bytes(limit_bytes)}.",
            limit_bytes=block.limit_bytes,
            rss_bytes=resident.highest_bytes,
        )


def _is_test_running(owner: FrameType, frame: FrameType | None, file: str) -> bool:
    """Whether code of the user is on the stack, or of the test's own file.

    A test that was refused memory is over while pytest, and what pytest calls, hand its MemoryError on, which knows the
    line. Functions that are generated from a string belong to whoever calls them.
    """
    is_test = False
    for _ in range(MAX_FRAMES):
        if frame is None or frame is owner:
            break
        code_file = frame.f_code.co_filename
        is_test = is_test or code_file == file or not (code_file == "<string>" or is_library_file(code_file))
        frame = frame.f_back
    return is_test and frame is owner
