"""Free memory is given back on request, and what that brought is measured."""

import subprocess
import sys

import pytest

from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.units import MIB

MAKE_HOLES = """
import ctypes, memanalysis
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
blocks = [libc.malloc(60_000) for _ in range(800)]
for block in blocks:
    ctypes.memset(block, 1, 60_000)
for block in blocks[:-1]:  # the last one keeps the top of the heap where it is
    libc.free(block)
first, second = memanalysis.trim(), memanalysis.trim()
print(first.freed_bytes, first.free_before_bytes, second.freed_bytes)
"""
"""800 blocks below the size from which the allocator maps each on its own: 46 MiB, all but one free."""


@pytest.mark.slow
@pytest.mark.skipif(read_allocator_free_bytes() is None, reason="needs glibc 2.33 or later")
def test_free_memory_below_a_live_block_is_given_back_once():
    done = subprocess.run([sys.executable, "-c", MAKE_HOLES], capture_output=True, text=True, check=True)
    first, free, second = map(int, done.stdout.split())

    assert first == pytest.approx(799 * 60_000, rel=0.1)
    assert free == pytest.approx(799 * 60_000, rel=0.1)
    assert second < MIB
