"""Run each cell in a kernel of its own: plain, measured, and measured without the compiled sampler.

The kernel of the plain cell reads its own peak of resident memory and its processor time. A line counts as named when
the headline of the card names it. Ratios of time are of processor time, each within one machine and one minute.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.measure import Demand, print_demands, print_table
from benchmarks.notebook import budgets, deaths, explorer_changes, loading
from benchmarks.notebook.cell_runs import MEMWATCH, MIB, PLAIN, Result, run_cell
from benchmarks.notebook.cells import CELLS, BenchmarkCell

__all__ = ["main"]

WITHOUT = "import memanalysis.capture.sampler as s; s._sampler = None"
LINE, PEAK, TIME, LEFT = (
    "line named",
    "headline within 10 %",
    "time within its limit, and 0.1 s",
    "at most 10 MiB more left",
)
MIN_SHARES = {LINE: 0.95, f"{LINE} without the sampler": 0.85, PEAK: 0.95, f"{PEAK} without the sampler": 0.95}
"""The share of the cells that is demanded; where none is here all of them."""


def main(*, names: Sequence[str] = ()) -> int:
    """Print a row a cell and what they reached, kernels that died, budgets and the explorer; return the misses."""
    chosen = [cell for cell in CELLS if find_spec(cell.needs) and (not names or cell.name in names)]
    rows, sums = [], _Sums()
    for cell in chosen:
        plain = run_cell(cell, PLAIN)
        sampled = run_cell(cell, MEMWATCH)
        fallback = run_cell(cell, MEMWATCH, before=WITHOUT)
        sums.add(cell, plain, sampled, fallback)
        peaks = (plain.peak_bytes, sampled.shown.peak_bytes, fallback.shown.peak_bytes)
        rows.append(
            [
                f"{cell.name} ({cell.kind})",
                *(_describe_line(cell, each) for each in (sampled, fallback)),
                *(f"{each / MIB:.1f}" for each in peaks),
                f"{plain.seconds:.2f}",
                *(f"{each.seconds / plain.seconds:.1f}" for each in (sampled, fallback)),
                *(f"{(each.after_bytes - plain.after_bytes) / MIB:+.1f}" for each in (sampled, fallback)),
                f"{sampled.shown.output_bytes / 1000:.1f}",
            ]
        )
        print(rows[-1], file=sys.stderr, flush=True)
    header = ["cell", "line", "without", "peak MiB", "shown", "without", "s", "x", "without"]
    print_table("%%memwatch on ordinary cells", [*header, "after", "without", "KB"], rows)
    n_missed = sums.show()
    if not names:
        n_missed += sum(part.main() for part in (loading, deaths, budgets, explorer_changes))
    return n_missed


class _Sums:
    """Counts of what was reached."""

    def __init__(self) -> None:
        self.counts: dict[str, list[bool]] = {}

    def add(self, cell: BenchmarkCell, plain: Result, sampled: Result, fallback: Result) -> None:
        for way, result, factor in (("", sampled, 1.5), (" without the sampler", fallback, 5.0)):
            if not way or cell.kind != "native":
                self._count(LINE + way, result.shown.line in cell.lines)
            error = abs(result.shown.peak_bytes - plain.peak_bytes)
            self._count(PEAK + way, error <= 0.1 * plain.peak_bytes)
            limit = factor * plain.seconds if cell.kind == "object" else 1.2 * plain.seconds
            self._count(TIME + way, result.seconds <= limit + 0.1)
            self._count(LEFT + way, result.after_bytes - plain.after_bytes <= 10 * MIB)

    def show(self) -> int:
        """Print the shares of all cells beside what is demanded, and return how many are missed."""
        demands = []
        for name, hits in self.counts.items():
            share, least = sum(hits) / len(hits), MIN_SHARES.get(name, 1.0)
            measured = f"{sum(hits)} of {len(hits)}, {share:.0%}"
            demands.append(Demand(name, measured, f"at least {least:.0%}", share >= least))
        return print_demands("Cells that reached it", demands)

    def _count(self, name: str, is_hit: bool) -> None:
        self.counts.setdefault(name, []).append(is_hit)


def _describe_line(cell: BenchmarkCell, result: Result) -> str:
    line = result.shown.line
    return f"{line}" if line in cell.lines else f"{line} for {cell.lines[0]}"
