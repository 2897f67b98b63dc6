"""A block measured by resident memory, where the compiled sampler is missing."""

import mmap
import sys

import pytest

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
