"""Run the benchmarks and print their tables: ``python -m benchmarks [NAME ...]``."""

import argparse
import platform
import sys
from importlib import import_module
from pathlib import Path

import psutil

BENCHMARKS = {
    "import": "benchmarks.import_cost",
    "specification": "benchmarks.specification",
    "capture": "benchmarks.capture",
    "analysis": "benchmarks.analysis",
    "detection": "benchmarks.detection.run",
    "programs": "benchmarks.detection.programs_run",
    "packages": "benchmarks.detection.packages_run",
    "sweep": "benchmarks.detection.swept_packages",
    "pytest_suites": "benchmarks.pytest_suites",
    "families": "benchmarks.families",
    "prefork": "benchmarks.prefork",
    "fleet": "benchmarks.fleet.run",
    "pivot": "benchmarks.fleet.pivot_run",
    "run_index": "benchmarks.fleet.run_index_run",
    "compare": "benchmarks.compare_runs",
    "calls": "benchmarks.detection.calls",
    "enforcement": "benchmarks.enforcement",
    "ledger": "benchmarks.ledger",
    "fuzz": "benchmarks.fuzz.run",
    "overhead": "benchmarks.overhead",
    "services": "benchmarks.services",
    "host": "benchmarks.isolation",
    "sampler": "benchmarks.sampler.run",
    "notebook": "benchmarks.notebook.run",
    "notebook_peers": "benchmarks.notebook.peers",
}
"""Loaded one by one, the one that measures a small process first: what they import would weigh on it."""

ONLY_WHEN_NAMED = {
    "compare",
    "families",
    "fleet",
    "fuzz",
    "notebook_peers",
    "packages",
    "pivot",
    "prefork",
    "programs",
    "pytest_suites",
    "run_index",
    "services",
    "sweep",
}
"""These take long, or measure nothing."""


def main() -> int:
    """Run the named benchmarks, or all; the exit code is 1 where a fault was found or a demand is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; when none is named all but {', '.join(sorted(ONLY_WHEN_NAMED))}",
    )
    parser.add_argument("--cases", type=int, metavar="N", help="of fuzz: how many (default: 20000); of pivot (100)")
    parser.add_argument("--seed", type=int, default=20250101, metavar="S", help="of fuzz: which (default: 20250101)")
    parser.add_argument(
        "--kinds", nargs="+", metavar="KIND", help="of fuzz: parquet, lines, single, entries, policies (default: all)"
    )
    parser.add_argument(
        "--detector", metavar="MODULE:FUNCTION", help="of detection: score this detector beside ours (times, values)"
    )
    parser.add_argument("--write", action="store_true", help="of detection: write the figures of the accuracy page")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[200_000], metavar="N", help="of fleet: samples (default: 200000)"
    )
    parser.add_argument(
        "--interval", type=float, default=60.0, metavar="SECONDS", help="of fleet: between two samples (default: 60)"
    )
    parser.add_argument(
        "--rows-a-service", type=int, default=20_000, metavar="N", help="of fleet: samples of each (default: 20000)"
    )
    parser.add_argument("--bucket", action="store_true", help="of fleet: behind a server of the S3 protocol")
    parser.add_argument("--file-days", type=float, default=1.0, metavar="DAYS", help="of fleet: of a file (default: 1)")
    parser.add_argument(
        "--works",
        nargs="+",
        metavar="WORK",
        help="of fleet: pandas, latest, report, trend, dask-1, dask-2, compact (default: all)",
    )
    arguments = parser.parse_args()
    names = arguments.names or [name for name in BENCHMARKS if name not in ONLY_WHEN_NAMED]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    load = ", ".join(f"{value:.2f}" for value in psutil.getloadavg())
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, load {load} at the start\n")
    n_faults = 0
    for name in names:
        benchmark = import_module(BENCHMARKS[name])
        if name == "fuzz":
            found = benchmark.main(cases=arguments.cases or 20_000, seed=arguments.seed, kinds=arguments.kinds)
        elif name == "detection":
            found = benchmark.main(detector=arguments.detector, write=arguments.write)
        elif name == "fleet":
            found = benchmark.main(
                sizes=arguments.rows,
                bucket=arguments.bucket,
                file_days=arguments.file_days,
                works=arguments.works,
                rows_a_service=arguments.rows_a_service,
                interval_s=arguments.interval,
            )
        elif name == "pivot":
            found = benchmark.main(cases=arguments.cases or 100)
        else:
            found = benchmark.main()
        n_faults += found or 0
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
