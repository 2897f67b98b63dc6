"""What the sampler costs twelve programs of pyperformance, beside tracemalloc, in one process and one run.

Other work on the machine changes how fast a program runs from second to second. So each program is run in short chunks,
plain and in every way by turns, and each chunk is compared with the plain one of the same round: the figures are
medians of these ratios of processor time. Needs pyperformance; runs on every Python that the sampler knows.
"""

import gc
import runpy
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import print_table
from memanalysis.capture import sampler

__all__ = ["main"]

PROGRAMS = (
    "chaos",
    "deepcopy",
    "deltablue",
    "float",
    "go",
    "json_dumps",
    "json_loads",
    "nqueens",
    "pyflate",
    "raytrace",
    "regex_compile",
    "richards",
)
CHUNK_S = 0.15
ROUNDS = 11
INTERVALS = {"512 KiB": 512 * 1024, "64 KiB": 64 * 1024, "16 KiB": 16 * 1024}


class FakeRunner:
    """Stands in for pyperf's runner: takes the first function that a script would measure."""

    taken: list[Callable[[int], None]] = []  # noqa: RUF012  one list for all scripts, emptied after each

    def __init__(self, **_: object) -> None:
        import argparse

        self.metadata: dict[str, str] = {}
        self.argparser = argparse.ArgumentParser()
        self.args: argparse.Namespace | None = None

    def parse_args(self, _: object = None) -> Any:
        """Give the defaults of the script's own options."""
        self.args = self.argparser.parse_args([])
        return self.args

    def bench_func(self, _: str, function: Callable[..., object], *args: Any, **_options: Any) -> None:
        """Take a function that does the work once."""

        def loop(loops: int) -> None:
            for _ in range(loops):
                function(*args)

        self.taken.append(loop)

    def bench_time_func(self, _: str, function: Callable[..., object], *args: Any, **_options: Any) -> None:
        """Take a function that does the work as often as it is asked."""
        self.taken.append(lambda loops: void(function(loops, *args)))


def void(_: object) -> None:
    """Drop what a function gives."""


def main() -> None:
    """Print the ratios of every program and their geometric means."""
    header = ["program", *INTERVALS, "tracemalloc 1", "stderr of 512 KiB"]
    columns: list[list[float]] = []
    rows = []
    for name in PROGRAMS:
        ratios, error = measure(load(name))
        columns.append(ratios)
        rows.append([name, *(f"{ratio:.3f}" for ratio in ratios), f"{error:.3f}"])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    by_way = list(zip(*columns, strict=True))
    rows.append(["geometric mean", *(f"{statistics.geometric_mean(column):.3f}" for column in by_way), ""])
    rows.append(["worst", *(f"{max(column):.3f}" for column in by_way), ""])
    print_table("Processor time of programs of pyperformance, as a multiple of the plain program", header, rows)


def load(name: str) -> Callable[[int], None]:
    """Load the script of a program and give its function of a number of loops."""
    import pyperf
    import pyperformance

    folder = Path(pyperformance.__file__).parent / "data-files" / "benchmarks" / f"bm_{name}"
    pyperf.Runner = FakeRunner
    sys.path.insert(0, str(folder))
    FakeRunner.taken.clear()
    runpy.run_path(str(folder / "run_benchmark.py"), run_name="__main__")
    sys.path.remove(str(folder))
    return FakeRunner.taken[0]


def measure(program: Callable[[int], None]) -> tuple[list[float], float]:
    """Ratio to plain in each way, and the standard error of the first."""
    loops = 1
    while measure_plain(program, loops) < CHUNK_S / 2:
        loops *= 2
    ratios: list[list[float]] = [[] for _ in INTERVALS]
    for number in range(ROUNDS):
        before = measure_plain(program, loops)
        times = [measure_sampled(program, loops, interval) for interval in INTERVALS.values()]
        plain = (before + measure_plain(program, loops)) / 2
        for column, seconds in zip(ratios, times, strict=True):
            column.append(seconds / plain)
        if number == 0:
            traced = measure_traced(program, max(1, loops // 4)) / measure_plain(program, max(1, loops // 4))
    error = 1.25 * statistics.stdev(ratios[0]) / len(ratios[0]) ** 0.5  # of a median
    return [*map(statistics.median, ratios), traced], error


def measure_plain(program: Callable[[int], None], loops: int) -> float:
    """Processor seconds of a chunk."""
    gc.collect()
    started = time.process_time()
    program(loops)
    return time.process_time() - started


def measure_sampled(program: Callable[[int], None], loops: int, interval_bytes: int) -> float:
    """Processor seconds of a chunk that is sampled."""
    sampler.start(interval_bytes=interval_bytes)
    seconds = measure_plain(program, loops)
    sampler.stop()
    return seconds


def measure_traced(program: Callable[[int], None], loops: int) -> float:
    """Processor seconds of a chunk under tracemalloc with one frame."""
    tracemalloc.start(1)
    seconds = measure_plain(program, loops)
    tracemalloc.stop()
    return seconds


if __name__ == "__main__":
    main()
