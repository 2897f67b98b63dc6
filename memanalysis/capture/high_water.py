"""How high did resident memory rise since a mark? Read from Linux's own high-water mark, which can be set back.

``VmHWM`` of ``/proc/self/status`` is exact however short a peak was, and writing ``5`` to ``/proc/self/clear_refs``
sets it back to what is resident now (proc(5), Linux 4.0). Where a system has neither, only readings remain, and a peak
between two of them is not seen. Bytes; None is unknown.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from memanalysis.units import KIB

__all__ = ["ResidentMemory", "mark_high_water", "parse_status", "read_resident"]

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")

_FIELD = re.compile(rb"^(VmHWM|VmRSS):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ResidentMemory:
    """What is resident now, and the most that was since the mark."""

    now_bytes: int
    highest_bytes: int


def read_resident() -> ResidentMemory | None:
    """Read both numbers in one go (some 30 us); None where the system does not report them."""
    try:
        text = STATUS.read_bytes()
    except OSError:
        return None
    return parse_status(text)


def parse_status(text: bytes) -> ResidentMemory | None:
    r"""Return the numbers from the text of ``status``.

    Examples
    --------
    >>> parse_status(b"Name:\tpython\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
    ResidentMemory(now_bytes=1048576, highest_bytes=2097152)
    """
    found = {name: int(kib) * KIB for name, kib in _FIELD.findall(text)}
    if len(found) < 2:
        return None
    return ResidentMemory(found[b"VmRSS"], max(found[b"VmHWM"], found[b"VmRSS"]))


def mark_high_water() -> bool:
    """Set the high-water mark back to what is resident now; whether the system allows it."""
    try:
        with CLEAR_REFS.open("wb", buffering=0) as file:
            file.write(b"5")
    except OSError:  # no Linux, or a sandbox without it
        return False
    return True
