"""Bytes, rates and seconds, to text for people and back.

Everything inside memanalysis is whole bytes and float seconds; this module alone turns them into "12.5 MiB",
"+3.1 MiB/h" and "about 4 h". ``MB`` in the class interface (``max_memory_mb``) and in
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
    "NOT_AVAILABLE",
    "TIB",
    "bytes_from_mb",
    "format_bytes",
    "format_bytes_per_call",
    "format_duration",
    "format_growth",
    "format_growth_interval",
    "format_number",
    "mb_from_bytes",
    "parse_bytes",
]

KIB = 1024
MIB = 1024**2
GIB = 1024**3
TIB = 1024**4

HOUR_S = 3600.0

NOT_AVAILABLE = "not available"

_BYTE_STEPS = ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))
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
    "t": TIB,
    "tb": TIB,
    "tib": TIB,
}
MAX_DIGITS = 20
"""Digits of a size that can be one: 2**63 bytes have 19."""

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


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
    magnitude = abs(size_bytes)
    for factor, unit in _BYTE_STEPS:
        if magnitude >= factor * 0.9995:
            return f"{_three_digits(size_bytes / factor, sign=sign)} {unit}"
    return f"{size_bytes:+.0f} B" if sign else f"{size_bytes:.0f} B"


def format_bytes_per_call(rate: float | None) -> str:
    """Render bytes a call, such as ``64 B``, ``0.64 B`` or ``1.5 KiB``: two digits where there is less than 10."""
    if not _is_known(rate) or abs(rate) >= 9.95:
        return format_bytes(rate)
    return f"{round(rate, 1 if abs(rate) >= 0.995 else 2):g} B"


def format_growth(slope: float | None, low: float | None = None, high: float | None = None) -> str:
    """Render growth an hour, such as ``+3.1 MiB/h``, in the unit and with the digits that suit its interval too.

    Parameters
    ----------
    slope, low, high : float or None
        Bytes per second, and the ends of its interval.
    """
    if not _is_known(slope):
        return NOT_AVAILABLE
    factor, unit = _growth_scale(slope, low, high)
    return f"{_growth_digits(slope * HOUR_S / factor, _growth_decimals(low, high, factor))} {unit}/h"


def format_growth_interval(slope: float | None, low: float | None, high: float | None) -> str:
    """Render the interval, such as ``2.9 to 3.3``, in the unit of ``format_growth``; signed where one is below zero."""
    if slope is None or low is None or high is None:
        return ""
    factor, _ = _growth_scale(slope, low, high)
    ends = [_growth_digits(end * HOUR_S / factor, _growth_decimals(low, high, factor)) for end in (low, high)]
    return " to ".join(ends if low < 0 else [end.removeprefix("+") for end in ends])


def format_number(value: float, *, digits: int = 3, sign: bool = False) -> str:
    """Render a number with that many digits and no exponent, such as ``0.25``, ``36`` or ``1,840``."""
    rounded = float(f"{value:.{digits}g}") + 0.0  # which takes the sign off zero
    decimals = 0 if rounded % 1 == 0 else max(1, digits - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:{'+' if sign else ''},.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


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
        The text is not a number followed by B, KB, MB, GB or TB (or KiB, MiB, GiB, TiB).
    """
    match = _SIZE.fullmatch(text)
    factor = _FACTORS.get(match[2].lower()) if match else None
    if match is None or factor is None or len(match[1]) > MAX_DIGITS:
        raise InvalidArgumentError(f"A size needs a number and a unit such as '100MB' or '1.5GiB', but got {text!r}.")
    return round(float(match[1]) * factor)


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _growth_scale(*rates: float | None) -> tuple[int, str]:
    largest = max((abs(rate) * HOUR_S for rate in rates if _is_known(rate)), default=0.0)
    return next(((factor, unit) for factor, unit in _BYTE_STEPS if largest >= factor * 0.9995), (1, "B"))


def _growth_decimals(low: float | None, high: float | None, factor: int) -> int:
    """As many decimals as the width of the interval lets mean something: none to two."""
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return 1
    width = (high - low) * HOUR_S / factor
    return 0 if width >= 10 else 1 if width >= 0.1 else 2


def _growth_digits(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "any" if math.isnan(value) else ("+" if value > 0 else "-") + "unbounded"
    text = f"{value:+.{decimals if abs(value) < 99.95 or decimals > 1 else 0}f}"
    return text[1:] if not text.strip("+-0.") else text


def _three_digits(value: float, *, sign: bool = False) -> str:
    if -99.95 < value < 99.95:
        return f"{value:+.1f}" if sign else f"{value:.1f}"
    return f"{value:+.0f}" if sign else f"{value:.0f}"
