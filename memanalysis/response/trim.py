"""Give memory that the C allocator holds free back to the system, where the C library can."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes

__all__ = ["TrimResult", "return_free_memory", "trim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimResult:
    """What giving free memory back brought.

    Parameters
    ----------
    freed_bytes : int or None
        By how much resident memory fell, 0 where it did not; None where the C library cannot give memory back, or the
        system does not show it.
    free_before_bytes : int or None
        What the C allocator held free before, as far as it shows that.
    rss_bytes : int or None
        Resident memory afterwards.
    """

    freed_bytes: int | None
    free_before_bytes: int | None
    rss_bytes: int | None


def trim() -> TrimResult:
    """Give memory that the C allocator of this process holds free back to the system, once, and measure it.

    It walks the whole heap, some milliseconds a gigabyte, while other threads run. It frees no object: where it brings
    much, resident memory stays up after a peak because of fragmentation, and not because of a leak.

    Returns
    -------
    TrimResult

    Notes
    -----
    ``malloc_trim`` of glibc. Memory that ``pymalloc`` holds in arenas with a live object stays.

    Examples
    --------
    >>> import memanalysis
    >>> memanalysis.trim().freed_bytes  # doctest: +SKIP
    46137344
    """
    with ProcessReader() as process:
        free, before = read_allocator_free_bytes(), process.read_rss_bytes()
        done = return_free_memory()
        after = process.read_rss_bytes()
    freed = None if done is None or before is None or after is None else max(0, before - after)
    return TrimResult(freed_bytes=freed, free_before_bytes=free, rss_bytes=after)


def return_free_memory() -> bool | None:
    """Give free memory back; whether some was, or None where the C library cannot (only glibc can).

    Other threads run meanwhile: the call holds no lock of Python's.
    """
    trim = _load_malloc_trim()
    return None if trim is None else bool(trim(0))


@cache
def _load_malloc_trim() -> "Callable[[int], int] | None":
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # loaded at the first cleanup: most processes never need one

        function = ctypes.CDLL(None).malloc_trim
    except (ImportError, AttributeError, OSError):  # no ctypes, or a C library other than glibc
        return None
    function.argtypes = [ctypes.c_size_t]
    function.restype = ctypes.c_int
    return lambda pad_bytes: int(function(pad_bytes))
