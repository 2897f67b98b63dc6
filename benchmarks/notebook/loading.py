"""What a notebook spends before anything is measured: on loading the extension, and on watching cells passively."""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.measure import Demand, median_seconds, print_demands
from benchmarks.notebook.cell_runs import start_kernel

__all__ = ["main"]

KERNELS = 5
LOAD = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "memanalysis")
print(time.perf_counter() - began)
"""
CELLS = 150
"""Whose median time counts, from the client's request to the kernel's answer: hooks run in outermost cells only."""

MAX_LOAD_S = 0.04
MAX_CELL_S = 0.0015


def main() -> None:
    """Print both in the median of some kernels, beside what is demanded."""
    loads, cells = [], []
    for _ in range(KERNELS):
        with start_kernel() as (run, _folder):
            loads.append(float(run(LOAD)[0]["text"]))
            plain_s = _time_cell(run)
            run("%memwatch on")
            cells.append(_time_cell(run) - plain_s)
            run("%memwatch off")
    load_s, cell_s = median(loads), median(cells)
    print_demands(
        "A notebook that measures nothing yet",
        [
            Demand(
                "%load_ext memanalysis",
                f"{load_s * 1e3:.1f} ms",
                f"at most {MAX_LOAD_S * 1e3:.0f} ms",
                load_s <= MAX_LOAD_S,
            ),
            Demand(
                "a cell, watched passively",
                f"{cell_s * 1e3:.2f} ms",
                f"at most {MAX_CELL_S * 1e3} ms",
                cell_s <= MAX_CELL_S,
            ),
        ],
    )


def _time_cell(run: Callable[[str], list[Any]]) -> float:
    return median_seconds(lambda: run("pass"), repeats=CELLS)
