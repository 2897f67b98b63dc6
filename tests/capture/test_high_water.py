"""The high-water mark of resident memory."""

import mmap
import sys

import pytest

from memanalysis.capture.high_water import ResidentMemory, mark_high_water, parse_status, read_resident
from memanalysis.units import MIB


def touch(size_bytes: int) -> None:
    """Use memory of the system's own and give it back: the heap of a large process has as much free."""
    with mmap.mmap(-1, size_bytes) as pages:
        for place in range(0, size_bytes, mmap.PAGESIZE):
            pages[place] = 1


def test_a_highest_below_what_is_resident_is_raised_to_it() -> None:
    """Linux counts pages in batches on each processor, so the two may disagree for a moment."""
    assert parse_status(b"VmHWM:\t 10 kB\nVmRSS:\t 12 kB\n") == ResidentMemory(12 * 1024, 12 * 1024)


def test_a_text_without_the_numbers_is_unknown() -> None:
    assert parse_status(b"Name:\tkthreadd\n") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the mark")
def test_a_peak_after_the_mark_is_seen_and_one_before_it_is_not() -> None:
    touch(64 * MIB)
    assert mark_high_water()
    before = read_resident()
    touch(24 * MIB)
    after = read_resident()

    assert before is not None
    assert after is not None
    assert after.highest_bytes - before.now_bytes == pytest.approx(24 * MIB, abs=2 * MIB)
