"""Run each cell in a kernel of its own: plain, measured, and measured without the compiled sampler.

The kernel of the plain cell reads its own peak of resident memory and its processor time. A line counts as named when
the headline of the card names it. Ratios of time are of processor time, each within one machine and one minute.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import nbformat
from nbclient import NotebookClient

from benchmarks.measure import print_table
from benchmarks.notebook import budgets, deaths, explorer_changes
from benchmarks.notebook.cells import CELLS, SETUP, BenchmarkCell

__all__ = ["main"]

MIB = 2**20
TIMEOUT_S = 120
TIMED_AGAIN = 2
"""Further runs in the same kernel: the shortest of all counts."""

CLOCK = """
import gc, time
from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.response.trim import return_free_memory
gc.collect(); return_free_memory(); mark_high_water(); at_start = read_resident().now_bytes; began = time.process_time()
"""
READ = "used = time.process_time() - began; r = read_resident(); gc.collect(); return_free_memory(); "
READ += "print(used, r.highest_bytes - at_start, read_resident().now_bytes - at_start)"
WITHOUT = "import memanalysis.capture.sampler as s; s._sampler = None"
_SIZE = re.compile(r"(?:rose by|allocated) up to (-?[\d.]+) (B|KiB|MiB|GiB)")
_UNITS = {"B": 1, "KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}


@dataclass(frozen=True)
class Result:
    """What one kernel gave for one cell; sizes in bytes, time in seconds of processor time."""

    seconds: float
    peak_bytes: float
    after_bytes: float
    headline_bytes: float = float("nan")
    line: int | None = None
    card_bytes: int = 0


def main(*, names: Sequence[str] = ()) -> None:
    """Print a row a cell, and the shares that were to be reached; then kernels that died, budgets and the explorer."""
    chosen = [cell for cell in CELLS if find_spec(cell.needs) and (not names or cell.name in names)]
    rows, sums = [], _Sums()
    for cell in chosen:
        plain = _run(cell, measured=False)
        sampled = _run(cell, measured=True)
        fallback = _run(cell, measured=True, before=WITHOUT)
        sums.add(cell, plain, sampled, fallback)
        rows.append(
            [
                f"{cell.name} ({cell.kind})",
                *(_describe_line(cell, each) for each in (sampled, fallback)),
                *(f"{each / MIB:.1f}" for each in (plain.peak_bytes, sampled.headline_bytes, fallback.headline_bytes)),
                f"{plain.seconds:.2f}",
                *(f"{each.seconds / plain.seconds:.1f}" for each in (sampled, fallback)),
                *(f"{(each.after_bytes - plain.after_bytes) / MIB:+.1f}" for each in (sampled, fallback)),
                f"{sampled.card_bytes / 1000:.1f}",
            ]
        )
        print(rows[-1], file=sys.stderr, flush=True)
    header = ["cell", "line", "without", "peak MiB", "shown", "without", "s", "x", "without"]
    print_table("%%memwatch on ordinary cells", [*header, "after", "without", "KB"], rows)
    sums.show()
    if not names:
        deaths.main()
        budgets.main()
        explorer_changes.main()


class _Sums:
    """Counts of what was reached."""

    def __init__(self) -> None:
        self.counts: dict[str, list[bool]] = {}

    def add(self, cell: BenchmarkCell, plain: Result, sampled: Result, fallback: Result) -> None:
        for way, result, factor in (("", sampled, 1.5), (" without the sampler", fallback, 5.0)):
            if not way or cell.kind != "native":
                self._count(f"line named{way}", result.line in cell.lines)
            error = abs(result.headline_bytes - plain.peak_bytes)
            self._count(f"headline within 10 %{way}", error <= 0.1 * plain.peak_bytes)
            limit = factor * plain.seconds if cell.kind == "object" else 1.2 * plain.seconds
            self._count(f"time within its limit, and 0.1 s{way}", result.seconds <= limit + 0.1)
            self._count(f"at most 10 MiB more left{way}", result.after_bytes - plain.after_bytes <= 10 * MIB)

    def show(self) -> None:
        rows = [
            [name, f"{sum(hits)} of {len(hits)}", f"{sum(hits) / len(hits):.0%}"] for name, hits in self.counts.items()
        ]
        print_table("reached", ["what", "cells", "share"], rows)

    def _count(self, name: str, is_hit: bool) -> None:
        self.counts.setdefault(name, []).append(is_hit)


def _describe_line(cell: BenchmarkCell, result: Result) -> str:
    return f"{result.line}" if result.line in cell.lines else f"{result.line} for {cell.lines[0]}"


def _run(cell: BenchmarkCell, *, measured: bool, before: str = "") -> Result:
    with _start_kernel() as run:
        run(SETUP)
        run("%load_ext memanalysis")
        run(before or "pass")
        run("%%memwatch\npass")
        run(CLOCK)
        shown = run(("%%memwatch\n" if measured else "# plain\n") + cell.body)
        seconds, peak, after = map(float, run(READ)[0]["text"].split())
        for _ in range(TIMED_AGAIN):
            run(CLOCK)
            run(("%%memwatch\n" if measured else "# plain\n") + cell.body)
            seconds = min(seconds, float(run(READ)[0]["text"].split()[0]))
        result = Result(seconds, peak, after)
        card = next((output["data"] for output in shown if output["output_type"] == "display_data"), None)
        if card is None:
            return result
        size, unit = _SIZE.findall(card["text/plain"])[0]
        line = re.search(r"most at In\[\d+\]:(\d+)", card["text/plain"])
        return Result(
            seconds,
            peak,
            after,
            headline_bytes=float(size) * _UNITS[unit],
            line=int(line[1]) if line else None,
            card_bytes=sum(map(len, card.values())),
        )


@contextmanager
def _start_kernel() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            nbformat.v4.new_notebook(),
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )

        def run(source: str) -> list[Any]:
            cell = nbformat.v4.new_code_cell(source)
            client.nb.cells.append(cell)
            client.execute_cell(cell, len(client.nb.cells) - 1)
            return list(cell.outputs)

        with client.setup_kernel():
            yield run
