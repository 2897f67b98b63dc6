"""Does a cell keep memory each time it runs? Its runs are judged as `find_leak` judges calls.

The level after a run is the sum of what the runs so far changed resident memory by: what other cells do between two
runs is left out. A cheap check in the notebook decides when the judgement, which needs numpy, is worth a process of its
own; the answer is the judgement's alone.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from memanalysis.units import KIB, format_bytes

__all__ = ["RerunFinding", "RerunWatch", "judge_runs_elsewhere"]

MIN_RUNS = 13
"""Runs before the first judgement: of fewer, all rising, a rise may be chance (`judge_calls`)."""

MAX_RUNS = 1000
"""Runs of one source that are held; a cell that ran as often is judged by these."""

RECHECK = 1.5
"""Judged again after this many times as many runs, as `find_leak` does."""

MIN_BYTES_PER_RUN = 256 * KIB
"""Less each run is not worth a sentence."""

WARM_UP = 8
"""The first eighth of the runs is warm-up, as in `judge_calls`."""

MIN_RISES = 0.5
"""Share of the later runs that raise the level, below which no judgement is asked for."""

PAGES_BYTES = 64 * KIB
"""Changes of resident memory up to this are none: allocators move by as much."""

TIMEOUT_S = 30.0
"""A process that has not answered by then never will."""

Judge = Callable[[Sequence[int]], float | None]
"""Returns the bytes that each run keeps where that is established, from the levels after each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunFinding:
    """A cell that keeps memory each time it runs."""

    bytes_per_run: float
    runs: int
    added_bytes: int

    def render_line(self) -> str:
        """Render as one line of text."""
        return (
            f"memwatch: this cell keeps {format_bytes(self.bytes_per_run)} each run "
            f"({self.runs} runs, {format_bytes(self.added_bytes, sign=True)} in all). %%memwatch on it names the lines."
        )


class RerunWatch:
    """The levels of every source that ran, and what was found of them."""

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge or judge_runs_elsewhere
        self._levels: dict[str, list[int]] = {}
        self._check_at: dict[str, int] = {}
        self._found: dict[str, float] = {}

    def read_bytes_per_run(self, source: str) -> float | None:
        """Return what a source is known to keep each run; None where nothing is established."""
        return self._found.get(source)

    def add(self, source: str, net_bytes: int | None) -> RerunFinding | None:
        """Add a run; returns a finding when one is new, once for each source."""
        if net_bytes is None or source in self._found:
            return None
        levels = self._levels.setdefault(source, [])
        if len(levels) == MAX_RUNS:
            return None
        levels.append((levels[-1] if levels else 0) + net_bytes)
        runs = len(levels)
        if runs < self._check_at.get(source, MIN_RUNS) or not _may_grow(levels):
            return None
        self._check_at[source] = max(runs + 1, round(runs * RECHECK))
        bytes_per_run = self._judge(levels)
        if bytes_per_run is None or bytes_per_run < MIN_BYTES_PER_RUN:
            return None
        self._found[source] = bytes_per_run
        return RerunFinding(bytes_per_run=bytes_per_run, runs=runs, added_bytes=levels[-1])


def judge_runs_elsewhere(levels: Sequence[int]) -> float | None:
    """Judge the levels after each run in another process; None where they show no leak, or no process can run."""
    command = [sys.executable, "-m", "memanalysis.notebook.child_judge"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=json.dumps({"levels": list(levels), "least": MIN_BYTES_PER_RUN, "tolerance": PAGES_BYTES}),
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):  # no finding is better than a notebook that fails
        return None
    return float(answer) if isinstance(answer, int | float) else None


def _may_grow(levels: Sequence[int]) -> bool:
    """Whether the judgement may find growth: most later runs rise, the last one among them, by enough in all."""
    later = levels[len(levels) // WARM_UP :]
    changes = [after - before for before, after in pairwise(later)]
    rises = sum(change > PAGES_BYTES for change in changes)
    return rises >= MIN_RISES * len(changes) and later[-1] - later[0] >= MIN_BYTES_PER_RUN * len(changes)
