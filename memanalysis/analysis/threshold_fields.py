"""How a threshold is written down: its value, its unit, where it comes from, and what it means.

Sources: a paper by its authors and year; *measured* is chosen and held by a benchmark of this project, named after it;
*convention* is a choice, whose reason is in the meaning. Loads no numpy.
"""

from dataclasses import field
from typing import Any

__all__ = ["CONVENTION", "CPYTHON", "DETECTION", "SPEED", "make_number"]

CONVENTION = "convention"
DETECTION = "measured: benchmarks detection"
SPEED = "measured: benchmarks analysis"
CPYTHON = "measured: sizes of CPython 3.11 to 3.13"


def make_number(value: object, unit: str, source: str, meaning: str) -> Any:
    """Return the field of a threshold: its default, and what the table of thresholds shows of it."""
    return field(default=value, metadata={"unit": unit, "source": source, "meaning": meaning})
