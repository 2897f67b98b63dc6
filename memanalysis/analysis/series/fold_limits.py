"""How a long series is folded: numbers alone, since watched processes load them without the other thresholds."""

__all__ = ["FOLD_SIZE", "MAX_POINTS_KEPT"]

FOLD_SIZE = 3
"""Points that become one; the middle of three is their median."""

MAX_POINTS_KEPT = 3 * 683
"""A longer series is folded: 32 KB, and 10 or more points for each one that is judged."""
