"""Fill the C allocator's cache of free blocks, so that what it holds is the same at every reading.

glibc keeps freed blocks of up to 1,032 bytes ready for each thread and counts them as handed out: a quarter of a
megabyte that fills slowly while healthy calls are repeated. When every size is filled up before each reading, what
changes from one reading to the next is what the calls keep. Source: ``malloc/malloc.c`` of glibc, ``tcache_put``.
"""

import ctypes
import platform
import re
from array import array

__all__ = ["ThreadCache"]

SIZES = range(24, 1_033, 16)
"""Bytes asked for, one of each kind of block."""

BLOCKS, MORE_BLOCKS, MORE_FROM = 7, 16, (2, 42)
"""Blocks of each size that glibc keeps: 7, from 2.42 on 16. What keeps fewer, or none, is filled by either."""


class ThreadCache:
    """The cache of the calling thread; what it needs is there before the first reading."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._malloc, self._free = library.malloc, library.free
        self._malloc.restype, self._malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
        self._free.restype, self._free.argtypes = None, (ctypes.c_void_p,)
        self._held = array("Q", bytes(8 * _count_blocks(platform.libc_ver())))

    def fill(self) -> None:
        """Take some blocks of every size and give them back."""
        malloc, free, held = self._malloc, self._free, self._held
        for size in SIZES:
            for place in range(len(held)):
                held[place] = malloc(size) or 0
            for pointer in held:
                free(pointer)


def _count_blocks(library: tuple[str, str]) -> int:
    """How many blocks of a size the C library keeps, by its name and version; the most where that is not known."""
    name, version = library
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return BLOCKS if name == "glibc" and numbers and numbers < MORE_FROM else MORE_BLOCKS
