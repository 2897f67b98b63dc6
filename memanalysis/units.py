"""Bytes, rates and seconds, to text for people and back.

Everything inside memanalysis is whole bytes and float seconds; this module alone turns them into "12.5 MiB",
"+3.1 MiB/h" and "about 4 h". ``MB`` in the founding names (``max_memory_mb``) and in
a policy file means 2**20 bytes.
"""

import math
import re
from typing import TypeGuard

from memanalysis.errors import InvalidArgumentError

__all__ = [
    "GIB",
    "KIB",
    "MIB",
    "bytes_from_mb",
    "format_bytes",
    "format_duration",
    "format_rate",
    "mb_from_bytes",
    "parse_bytes",
]

KIB = 1024
MIB = 1024**2
GIB = 1024**3

NOT_AVAILABLE = "not available"

_BYTE_STEPS = ((1024**4, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))
_RATE_STEPS = ((3600.0, "h"), (86400.0, "day"))
_DURATION_STEPS = ((86400.0 * 365, "years"), (86400.0, "days"), (3600.0, "h"), (60.0, "min"))
_FACTORS = {
    "": 1,
    "b": 1,
    "k": KIB,
    "kb": KIB,
    "kib": KIB,
    "m": MIB,
    "mb": MIB,
    "mib": MIB,
    "g": GIB,
    "gb": GIB,
    "gib": GIB,
}
MOST_DIGITS = 20
"""Digits of a size that can be one: 2**63 bytes have 19."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def bytes_from_mb(mb: float) -> int:
    """Whole bytes in that many MB of 2**20 bytes."""
    return round(mb * MIB)


def mb_from_bytes(size_bytes: float) -> float:
    """MB of 2**20 bytes in that many bytes."""
    return size_bytes / MIB


def format_bytes(size_bytes: float | None, *, sign: bool = False) -> str:
    """Render a size, such as ``12.5 MiB``; unknown is ``not available``, never zero."""
    if not _is_known(size_bytes):
        return NOT_AVAILABLE
    for factor, unit in _BYTE_STEPS:
        if abs(size_bytes) >= factor * 0.9995:
            return f"{_three_digits(size_bytes / factor, sign=sign)} {unit}"
    return f"{size_bytes:+.0f} B" if sign else f"{size_bytes:.0f} B"


def format_rate(bytes_per_s: float | None) -> str:
    """Render a growth rate with its sign, such as ``+3.1 MiB/h``; by the day when an hour is under 1 KiB."""
    if not _is_known(bytes_per_s):
        return NOT_AVAILABLE
    seconds, unit = _RATE_STEPS[0] if abs(bytes_per_s) * 3600 >= KIB or bytes_per_s == 0 else _RATE_STEPS[1]
    return f"{format_bytes(bytes_per_s * seconds, sign=True)}/{unit}"


def format_duration(seconds: float | None) -> str:
    """Render a length of time with two or three digits, such as ``4.2 h``; infinity is ``never``."""
    if seconds is None or math.isnan(seconds):
        return NOT_AVAILABLE
    if math.isinf(seconds):
        return "never"
    for length, unit in _DURATION_STEPS:
        if abs(seconds) >= length * 0.9995:
            return f"{_three_digits(seconds / length)} {unit}"
    return f"{_three_digits(seconds)} s"


def parse_bytes(text: str) -> int:
    """Whole bytes from a size such as ``100MB``, ``1.5 GiB`` or ``4096``; MB and MiB are both 2**20.

    Raises
    ------
    InvalidArgumentError
        The text is not a number followed by B, KB, MB or GB (or KiB, MiB, GiB).
    """
    match = _SIZE.fullmatch(text)
    factor = _FACTORS.get(match[2].lower()) if match else None
    if match is None or factor is None or len(match[1]) > MOST_DIGITS:
        raise InvalidArgumentError(f"A size needs a number and a unit such as '100MB' or '1.5GiB', but got {text!r}.")
    return round(float(match[1]) * factor)


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _three_digits(value: float, *, sign: bool = False) -> str:
    digits = 0 if abs(value) >= 99.95 else 1
    return f"{value:{'+' if sign else ''}.{digits}f}"
