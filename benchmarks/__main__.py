"""Run the benchmarks and print their tables: ``python -m benchmarks [NAME ...]``."""

import argparse
import platform
import sys
from importlib import import_module
from pathlib import Path

import psutil

BENCHMARKS = {
    "founding": "benchmarks.founding",
    "capture": "benchmarks.capture",
    "analysis": "benchmarks.analysis",
    "detection": "benchmarks.detection.run",
    "calls": "benchmarks.detection.calls",
    "ledger": "benchmarks.ledger",
    "sampler": "benchmarks.sampler.run",
}
"""Loaded one by one, the one that measures a small process first: what they import would weigh on it."""


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
        import_module(BENCHMARKS[name]).main()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
