"""A block measured by resident memory, where the compiled sampler is missing."""

import mmap
import sys

import pytest

from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.notebook.line_events import LineEvents
from memanalysis.notebook.lines import Place
from memanalysis.response.trim import return_free_memory

MIB = 2**20
CELL = "In[908]"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the high-water mark")


def touch(size_bytes: int) -> mmap.mmap:
    """Memory of the system's own, in use: the heap of a large process has as much free."""
    pages = mmap.mmap(-1, size_bytes)
    for place in range(0, size_bytes, mmap.PAGESIZE):
        pages[place] = 1
    return pages


@pytest.mark.slow
def test_what_is_freed_after_the_last_line_is_taken_from_the_line_that_held_as_much() -> None:
    """As where a thread that reads the running frame holds it, and its variables, a moment longer."""
    return_free_memory()  # at the end it is, and what the process had free before is none of the cell's
    events = LineEvents()
    events.start()
    events.before_statement(Place(CELL, 1))
    freed_late = touch(48 * MIB)
    events.after_statement()
    events.before_statement(Place(CELL, 2))
    lasting = touch(32 * MIB)
    events.after_statement()
    events.end()
    freed_late.close()
    memory = events.finish()
    lasting.close()

    assert {line.place.line: line.size_bytes for line in memory.retained} == {2: pytest.approx(32 * MIB, abs=MIB)}


HOLES = """
import ctypes
from memanalysis.notebook.line_events import LineEvents
from memanalysis.notebook.lines import Place
from memanalysis.response.trim import return_free_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.free(libc.malloc(30 << 20))  # from now on blocks of that size come from the heap
blocks = [libc.malloc(24 << 20) for _ in range(4)]
for block in blocks:
    ctypes.memset(block, 1, 24 << 20)
for block in blocks[:-1]:
    libc.free(block)
return_free_memory()
events = LineEvents()
events.start()
events.before_statement(Place("In[1]", 1))
held = bytearray(8 << 20)
events.after_statement()
events.end()
print(*[line.size_bytes for line in events.finish().retained])
"""


@pytest.mark.skipif(read_allocator_free_bytes() is None, reason="needs glibc 2.33 or later")
def test_what_the_allocator_held_free_and_had_given_back_counts_once(run_program) -> None:
    assert int(run_program(HOLES).stdout) == pytest.approx(8 * MIB, rel=0.05)
