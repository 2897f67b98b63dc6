"""Let cells of a real kernel run over their memory budget, and measure when they stop and how far over it they went."""

import re
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Demand, print_demands
from benchmarks.notebook.deaths import execute, start

__all__ = ["main"]

REPEATS = 5
BUDGET_BYTES = 512 * 2**20
MAX_OVER = 1.1
MAX_LATE_S = 1.0

CELLS = {
    "10 MB arrays": "kept = []\nwhile True:\n    kept.append(np.ones(1_250_000))",
    "a dict": "kept = {}\nnumber = 0\nwhile True:\n    number += 1\n    kept[number] = str(number) * 20",
    "100 GB array": "kept = np.ones(100 * 10**9 // 8)",
    "pandas concat": "kept = pd.DataFrame({'a': np.arange(1e5)})\nwhile True:\n    kept = pd.concat([kept, kept])",
}

PREPARE = """
import threading, time, numpy as np, pandas as pd
from memanalysis.capture.process import ProcessReader
_seen = []
def _read():
    reader = ProcessReader()
    while True:
        _seen.append((time.perf_counter(), reader.read_rss_bytes()))
        time.sleep(0.002)
threading.Thread(target=_read, daemon=True).start()
"""

HOOK = """
_ended, _began = [0.0], []
_show = get_ipython().showtraceback
def _note_and_show(*args, **kwargs):
    _ended.append(time.perf_counter())
    _show(*args, **kwargs)
get_ipython().showtraceback = _note_and_show
get_ipython().events.register("pre_run_cell", lambda info: _began.append(time.perf_counter()))
"""
"""The cell's code has ended when IPython begins to show its error: to show it can take seconds."""

ASK = """
over = [at for at, rss in _seen if at > _began[-2] and rss > {budget}]
print("late", round(_ended[-1] - over[0], 3) if over else 0, "highest", max(rss for _, rss in _seen))
kept = None
_seen.clear()
"""


def main(*, repeats: int = REPEATS) -> int:
    """Print how each cell stopped: in time, in budget, with the kernel alive; return how many demands are missed."""
    folder = Path(tempfile.mkdtemp())
    kernel = start(folder)
    n_good = 0
    try:
        for source in ("%load_ext memanalysis", PREPARE, f"%memwatch budget {BUDGET_BYTES}"):
            execute(kernel, source)
        execute(kernel, HOOK)
        for name, source in CELLS.items():
            for _ in range(repeats):
                began = time.perf_counter()
                shown = execute(kernel, source)
                seconds = time.perf_counter() - began
                answer = execute(kernel, ASK.format(budget=BUDGET_BYTES))
                n_good += _report(name, shown, answer, seconds)
    finally:
        kernel.shutdown_kernel(now=True)
        shutil.rmtree(folder)
    n_cells = repeats * len(CELLS)
    return print_demands(
        "Cells over their budget",
        [Demand("stopped within 1 s and 10 % over", f"{n_good} of {n_cells}", "all", n_good == n_cells)],
    )


def _report(name: str, shown: str, answer: str, seconds: float) -> bool:
    match = re.search(r"late (\S+) highest (\d+)", answer)
    late_s, share = (float(match[1]), int(match[2]) / BUDGET_BYTES) if match else (float("nan"), float("nan"))
    good = "MemoryBudgetExceeded" in shown and late_s <= MAX_LATE_S and share <= MAX_OVER
    print(
        f"{name}: {seconds:.2f} s in all, {late_s:.3f} s late, {share:.1%} of the budget, {'good' if good else 'BAD'}"
    )
    return good


if __name__ == "__main__":
    main()
