"""Give memory that the C allocator holds free back to the system, where the C library can."""

import sys
from collections.abc import Callable
from functools import cache

__all__ = ["return_free_memory"]


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
