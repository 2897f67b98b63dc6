"""Sizes of memory as a policy writes them: ``100MB``, ``1.5 GiB``, or a share of the limit such as ``80% of limit``."""

import re
from dataclasses import dataclass

from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB, parse_bytes

__all__ = ["SHARE_PATTERN", "SIZE_PATTERN", "LimitShare", "read_size"]

_ABOVE_ZERO = r"(0*[1-9][0-9]*(\.[0-9]+)?|0+\.0*[1-9][0-9]*)"
SIZE_PATTERN = rf"^\s*{_ABOVE_ZERO}\s*([kKmMgGtT][iI]?[bB]|[kKmMgGtTbB])\s*$"
"""Sizes with their unit, for editors. Without flags and looking ahead, which not every reader of a schema knows."""

_PERCENT = r"((0{0,2}[1-9]|0?[1-9][0-9])(\.[0-9]{1,9})?|100(\.0{1,9})?|0{1,3}\.0{0,3}[1-9][0-9]{0,5})"
SHARE_PATTERN = rf"^\s*{_PERCENT}\s*%\s*[oO][fF]\s+([tT][hH][eE]\s+)?[lL][iI][mM][iI][tT]\s*$"
"""Shares above 0 up to 100 %, for editors and for `read_size`."""

_SHARE = re.compile(SHARE_PATTERN)


@dataclass(frozen=True, slots=True)
class LimitShare:
    """Percent of the memory that the container may use, or that the machine has where no container limits it."""

    percent: float


def read_size(text: str) -> float | LimitShare | None:
    """Return MB or a share of the limit; None where the text is neither, or has no unit."""
    if _SHARE.match(text):
        return LimitShare(float(text.partition("%")[0]))
    if not text.strip()[-1:].isalpha():
        return None
    try:
        size_mb = parse_bytes(text) / MIB
    except (InvalidArgumentError, OverflowError):  # more digits than a float holds
        return None
    return int(size_mb) if size_mb.is_integer() else size_mb  # 100MB is shown as 100, as it would be written
