"""What an import of the package costs, beside the interpreter's own start, as ``python -X importtime`` measures it."""

import subprocess
import sys
from statistics import median

from benchmarks.measure import print_table

__all__ = ["main", "measure_import_us"]

REPEATS = 9
CALLS = {
    "import memanalysis": "import memanalysis",
    "memanalysis.watch, first use": "import memanalysis; memanalysis.watch",
    "standard library: import argparse": "import argparse",
}
"""The last is a measure of the machine."""

MAX_MS = 5.0
TARGETS = ("import memanalysis",)
"""What may take that long at most: a program that never watches imports it too."""


def measure_import_us(code: str) -> float:
    """Return the microseconds spent in modules that the interpreter does not load by itself."""
    alone = _read_imports("pass")
    return sum(cost for name, cost in _read_imports(code).items() if name not in alone)


def main() -> None:
    """Print the median of a few processes for each import."""
    rows = []
    for name, code in CALLS.items():
        costs = [measure_import_us(code) / 1000 for _ in range(REPEATS)]
        target = f"{MAX_MS:.0f} ms" if name in TARGETS else "-"
        rows.append((name, f"{median(costs):.1f} ms", f"{min(costs):.1f} ms", target))
    print_table("Import", ("what", "median", "least", "at most"), rows)


def _read_imports(code: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()]
    return {line[2].strip(): float(line[0]) for line in lines if len(line) == 3 and line[0].strip().isdigit()}
