"""What would take resident memory above a ceiling is refused, also where it comes from what is mapped already."""

import platform
import subprocess
import sys

import pytest

from tests.needs import needs_sampler

pytestmark = [
    needs_sampler,
    pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc"),
]

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's malloc")

PREPARE = """
import ctypes
import numpy as np
from memanalysis import budget
from memanalysis.capture import sampler
from memanalysis.capture.process import ProcessReader

MIB, libc, reader = 2**20, ctypes.CDLL(None), ProcessReader()

def is_refused(make):
    try:
        make()
    except MemoryError:
        return True
    return False
"""

KINDS = """
sampler.start()
makers = {
    "bytes": lambda: bytes(64 * MIB), "list": lambda: [None] * (8 * MIB), "ones": lambda: np.ones(8 * MIB),
    "zeros": lambda: np.zeros(8 * MIB), "dict": lambda: dict.fromkeys(range(2 * MIB)),
    "small": lambda: [bytes(1000) for _ in range(1000)],
}
sampler.refuse_above(reader.read_rss_bytes() + 32 * MIB)
print(*[kind for kind, make in makers.items() if is_refused(make)])
sampler.refuse_above(None)
print(*[kind for kind, make in makers.items() if is_refused(make)])
"""

HOLE = """
libc.mallopt(-4, 0)  # M_MMAP_MAX: large blocks come from the heap, as in a program that has freed much
libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD: what is freed stays
below = b"x" * (256 * MIB)
above = b"x" * MIB
del below
{give_back}
sampler.start()
with budget(reader.read_rss_bytes() + {more_mib} * MIB):
    try:
        filled = np.ones(192 * MIB // 8)
        print("made")
    except MemoryError:
        print("refused")
"""


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PREPARE + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_large_blocks_of_every_kind_are_refused_until_nothing_is_refused():
    refused, refused_later = run(KINDS)

    assert refused.split() == ["bytes", "list", "ones", "zeros", "dict"]
    assert refused_later == ""


@needs_glibc
def test_a_block_from_memory_that_was_given_back_is_refused_by_a_budget():
    """It is mapped already, so the system's limit has nothing to refuse."""
    assert run(HOLE.format(give_back="libc.malloc_trim(0)", more_mib=64)) == ["refused"]


@needs_glibc
def test_a_block_from_memory_that_is_free_and_resident_is_made():
    """It makes the process no larger, and the budget allows no other one."""
    assert run(HOLE.format(give_back="", more_mib=64)) == ["made"]
