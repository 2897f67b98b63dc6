"""How much do Python's and the C allocator hand out? To the block and byte, in microseconds, without tracing."""

import sys
import tracemalloc
from dataclasses import dataclass

from memanalysis.capture.process import read_allocator_used_bytes

__all__ = ["Allocated", "read_allocated"]


@dataclass(frozen=True, slots=True)
class Allocated:
    """Blocks of Python's allocator, and bytes of the C allocator without the tracer's; 0 where these are unknown."""

    blocks: int
    native_bytes: int


def read_allocated() -> Allocated:
    """Read both; garbage that nobody has collected counts."""
    used = read_allocator_used_bytes()
    native = 0 if used is None else used - tracemalloc.get_tracemalloc_memory()
    return Allocated(sys.getallocatedblocks(), native)
