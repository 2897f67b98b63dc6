"""Time a call many times, lay figures out as a table, and hold them against what is demanded."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = [
    "Demand",
    "median_processor_seconds",
    "median_seconds",
    "print_demands",
    "print_table",
    "processor_seconds_of",
    "seconds_of",
]


@dataclass(frozen=True, slots=True)
class Demand:
    """A figure with what is demanded of it, as they are printed, and whether it is met."""

    what: str
    measured: str
    demanded: str
    is_met: bool


def seconds_of(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def processor_seconds_of(call: Callable[[], Any]) -> float:
    """Processor seconds of one call, which other processes do not lengthen as they do those of the clock."""
    started = time.process_time()
    call()
    return time.process_time() - started


def median_seconds(call: Callable[[], Any], *, repeats: int) -> float:
    """Median wall-clock seconds of a call, after one that does not count."""
    call()
    return median(seconds_of(call) for _ in range(repeats))


def median_processor_seconds(call: Callable[[], Any], *, repeats: int) -> float:
    """Median processor seconds of a call, after one that does not count."""
    call()
    return median(processor_seconds_of(call) for _ in range(repeats))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(title)
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(row)]
        print("  ".join(cells).rstrip())
    print()


def print_demands(title: str, demands: Sequence[Demand]) -> int:
    """Print a row each, and return how many are missed."""
    rows = [[one.what, one.measured, one.demanded, "yes" if one.is_met else "NO"] for one in demands]
    print_table(title, ["demand", "measured", "demanded", "met"], rows)
    return sum(not one.is_met for one in demands)
