"""What a notebook spends before anything is measured: on loading the extension, and on watching cells passively."""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.measure import Demand, print_demands
from benchmarks.notebook.cell_runs import start_kernel

__all__ = ["main"]

KERNELS = 5
LOAD = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "memanalysis")
print(time.perf_counter() - began)
"""
CLOCK = """
import functools, time
_kernel, _seconds = get_ipython().kernel, []
def _timed(do_execute):
    @functools.wraps(do_execute)
    async def execute(*arguments, **named):
        began = time.perf_counter()
        try:
            return await do_execute(*arguments, **named)
        finally:
            _seconds.append(time.perf_counter() - began)
    return execute
_kernel.do_execute = _timed(_kernel.do_execute)
"""
"""The kernel's own time of each cell: a request and its answer over two sockets take ten times as long, and drift."""

TURNS = 6
CELLS = 25
"""Of each turn; a kernel slows down with its history, so cells with and without watching take turns."""

MAX_LOAD_S = 0.04
MAX_CELL_S = 0.0015


def main() -> int:
    """Print both in the median of some kernels, beside what is demanded; return how many demands are missed."""
    loads, cells = [], []
    for _ in range(KERNELS):
        with start_kernel() as (run, _folder):
            loads.append(float(run(LOAD)[0]["text"]))
            run(CLOCK)
            plain, watched = [], []
            for _ in range(TURNS):
                plain += _time_cells(run)
                run("%memwatch on")
                watched += _time_cells(run)
                run("%memwatch off")
            cells.append(median(watched) - median(plain))
    load_s, cell_s = median(loads), median(cells)
    return print_demands(
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


def _time_cells(run: Callable[[str], list[Any]]) -> list[float]:
    """Return the seconds of cells that do nothing."""
    run("_seconds.clear()")
    for _ in range(CELLS):
        run("pass")
    _of_clear, *seconds = map(float, run("print(*_seconds)")[0]["text"].split())
    return seconds
