"""What one step of a cleanup frees: run it, wait for it no longer than some seconds, and measure it.

Bytes are those that tracemalloc follows, where it traces, and resident memory. Memory that the step left free in the C
allocator is given back to the system first, so that it counts for the step that freed it.
"""

import logging
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes
from memanalysis.response.trim import return_free_memory
from memanalysis.units import MIB

__all__ = ["CleanupStep", "MemoryLevel", "call_within", "read_level", "run_step"]

_LOGGER = logging.getLogger(__name__)

MIN_TRIM_BYTES = MIB
"""Memory left free by a step that is worth a walk over the whole heap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupStep:
    """What one step freed.

    Parameters
    ----------
    name : str
        Of the hook, the cache or the step.
    freed_traced_bytes, freed_rss_bytes : int or None
        None where it is not known, 0 where the process grew meanwhile. Of a step that still runs: so far.
    error : str or None
        Why it failed; None where it did not.
    """

    name: str
    freed_traced_bytes: int | None
    freed_rss_bytes: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLevel:
    """Memory at one moment; None is unknown."""

    traced_bytes: int | None
    rss_bytes: int | None

    def freed_until(self, later: "MemoryLevel") -> tuple[int | None, int | None]:
        """Return the traced and the resident bytes by which it fell until then."""
        return _fall(self.traced_bytes, later.traced_bytes), _fall(self.rss_bytes, later.rss_bytes)


def read_level(process: ProcessReader) -> MemoryLevel:
    """Read traced and resident bytes now."""
    traced = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None
    return MemoryLevel(traced_bytes=traced, rss_bytes=process.read_rss_bytes())


def run_step(noun: str, name: str, call: Callable[[], object], *, process: ProcessReader) -> CleanupStep:
    """Run a step and measure what it freed. An error that it raises is logged, and described in the result.

    Parameters
    ----------
    noun, name : str
        What the log calls it: ``hook``, and the name under which it was registered.
    call : callable
        The step.
    process : ProcessReader
        Reads this process.
    """
    before, free_before = read_level(process), read_allocator_free_bytes()
    error = None
    try:
        call()
    except Exception as exc:  # somebody's code, run inside somebody's process: reported, and never raised into it
        _LOGGER.warning("The %s %r failed during cleanup.", noun, name, exc_info=True)
        error = f"{type(exc).__name__}: {exc}"
    left_free = read_allocator_free_bytes()
    if left_free is not None and free_before is not None and left_free - free_before >= MIN_TRIM_BYTES:
        return_free_memory()
    traced, resident = before.freed_until(read_level(process))
    return CleanupStep(name=name, freed_traced_bytes=traced, freed_rss_bytes=resident, error=error)


def call_within(call: Callable[[], object], *, seconds: float) -> threading.Thread | None:
    """Call something in a thread of its own, and wait for it no longer than that.

    Returns
    -------
    Thread or None
        The thread where the call still runs in it.

    Raises
    ------
    Exception
        What the call raised.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as exc:  # also SystemExit: the thread that waits raises it again
            raised.append(exc)

    thread = threading.Thread(target=run, name="memanalysis-cleanup", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return thread
    if raised:
        raise raised[0] if isinstance(raised[0], Exception) else RuntimeError(repr(raised[0]))
    return None


def _fall(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, before - after)
