"""Run the benchmarks and print their tables: ``python -m benchmarks [NAME ...]``."""

import argparse
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks import analysis, founding
from benchmarks.detection import run as detection

BENCHMARKS: dict[str, Callable[[], None]] = {
    "analysis": analysis.main,
    "detection": detection.main,
    "founding": founding.main,
}


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all when none is named"
    )
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    load = ", ".join(f"{value:.2f}" for value in psutil.getloadavg())
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, load {load} at the start\n")
    for name in names:
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
