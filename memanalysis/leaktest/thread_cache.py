"""Fill the C allocator's cache of free blocks, so that what it holds is the same at every reading.

glibc keeps freed blocks of up to 1,032 bytes ready for each thread and counts them as handed out: a quarter of a
megabyte that fills slowly while healthy calls are repeated. When every size is filled up before each reading, what
changes from one reading to the next is what the calls keep. Source: ``malloc/malloc.c`` of glibc, ``tcache_put``.
"""

import ctypes
from array import array

__all__ = ["ThreadCache"]

SIZES = range(24, 1_033, 16)
"""Bytes asked for, one of each kind of block."""

BLOCKS = 16
"""Blocks of each size: glibc keeps 7, from 2.42 on 16."""


class ThreadCache:
    """The cache of the calling thread; what it needs is there before the first reading."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._malloc, self._free = library.malloc, library.free
        self._malloc.restype, self._malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
        self._free.restype, self._free.argtypes = None, (ctypes.c_void_p,)
        self._held = array("Q", bytes(8 * BLOCKS))

    def fill(self) -> None:
        """Take some blocks of every size and give them back."""
        malloc, free, held = self._malloc, self._free, self._held
        for size in SIZES:
            for place in range(BLOCKS):
                held[place] = malloc(size) or 0
            for pointer in held:
                free(pointer)
