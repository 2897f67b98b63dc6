"""Freed blocks that the C allocator keeps for a thread are the same at every reading."""

import ctypes

import pytest

from memanalysis.capture.process import read_allocator_used_bytes
from memanalysis.leaktest.thread_cache import ThreadCache, _count_blocks

pytestmark = pytest.mark.skipif(read_allocator_used_bytes() is None, reason="the C allocator has no mallinfo2")


def test_blocks_that_were_freed_change_nothing_once_the_cache_is_filled():
    """They would count as handed out, up to seven of a size."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    cache = ThreadCache()
    cache.fill()
    cache.fill()
    before = read_allocator_used_bytes()
    for size in (40, 200, 600, 1_000):
        for pointer in [libc.malloc(size) for _ in range(5)]:
            libc.free(pointer)
    cache.fill()

    assert abs(read_allocator_used_bytes() - before) < 600


def test_a_block_that_is_kept_is_seen():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    cache = ThreadCache()
    cache.fill()
    cache.fill()
    before = read_allocator_used_bytes()
    kept = [libc.malloc(1_000) for _ in range(20)]
    cache.fill()
    grown = read_allocator_used_bytes() - before
    for pointer in kept:
        libc.free(pointer)

    assert 20_000 < grown < 24_000


@pytest.mark.parametrize(
    ("library", "blocks"),
    [(("glibc", "2.36"), 7), (("glibc", "2.41"), 7), (("glibc", "2.42"), 16), (("glibc", "3.0"), 16), (("", ""), 16)],
)
def test_as_many_blocks_are_filled_as_the_c_library_keeps(library, blocks):
    """``TCACHE_FILL_COUNT`` of glibc's malloc.c: 7 up to release 2.41, 16 from 2.42 on."""
    assert _count_blocks(library) == blocks
