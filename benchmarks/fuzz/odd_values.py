"""Values that files hold though no writer of ours writes them."""

import math
import random
from typing import Any

__all__ = ["odd_number", "odd_text", "odd_value"]

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 0.5, -0.0, 1e308, -1e308, 5e-324, 1e18, -1e18,
    253402300800.0, -62135596801.0, math.nan, math.inf, -math.inf, True, False,
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "a\0b", "\ud800", "\u202e", "\x1b[31m", "größe", "a" * 70_000, "../../etc", "%", "=1+1", "null",
    "NaN", "1", "-1", "2025-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "10000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "2025-02-30T00:00:00Z", "2025-01-01", "2025-01-01T00:00:00.1234567899Z", "yesterday",
    "<script>", "`x`", "|", "\n",
)  # fmt: skip


def odd_number(rng: random.Random) -> Any:
    """Give a number at or beyond the bounds of its type."""
    return rng.choice(NUMBERS)


def odd_text(rng: random.Random) -> str:
    """Give a text that is hard to show, to encode or to parse."""
    return rng.choice(TEXTS)


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """Give any value that JSON has a word for."""
    kind = rng.randrange(5 if depth < 3 else 3)
    if kind == 0:
        return None
    if kind == 1:
        return odd_number(rng)
    if kind == 2:
        return odd_text(rng)
    if kind == 3:
        return [odd_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {odd_text(rng)[:50]: odd_value(rng, depth + 1) for _ in range(rng.randrange(4))}
