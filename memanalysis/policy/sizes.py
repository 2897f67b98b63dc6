"""Sizes of memory as a policy writes them: ``100MB``, ``1.5 GiB``, or a share of the limit such as ``80% of limit``."""

import re
from dataclasses import dataclass

from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB, parse_bytes

__all__ = ["LimitShare", "read_size"]

_SHARE = re.compile(r"\s*(\d{1,3}(?:\.\d{1,9})?)\s*%\s*of\s+(?:the\s+)?limit\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class LimitShare:
    """Percent of the memory that the container may use, or that the machine has where no container limits it."""

    percent: float


def read_size(text: str) -> float | LimitShare | None:
    """Return MB or a share of the limit; None where the text is neither, or has no unit."""
    share = _SHARE.fullmatch(text)
    if share is not None:
        percent = float(share[1])
        return LimitShare(percent) if 0 < percent <= 100 else None
    if not text.strip()[-1:].isalpha():
        return None
    try:
        size_mb = parse_bytes(text) / MIB
    except (InvalidArgumentError, OverflowError):  # more digits than a float holds
        return None
    return int(size_mb) if size_mb.is_integer() else size_mb  # 100MB is shown as 100, as it would be written
