"""What watching costs a busy program that leaks, over its whole run and in the worst ten seconds of it.

A program of JSON and dicts does a fixed amount of work, plain and under ``watch()`` by turns (plain, watched, watched,
plain). It notes a few times a second how much processor time it took and how far it is. The processor time above what
the plain programs took up to the same iteration is what watching cost until then; tracing windows show as steps in it.
The same figures of a plain program beside the other plain ones are the noise of the machine. Where others want the
processors too, the program takes less than one, and the share of one that watching may take is more of its own time.
"""

import json
import os
import subprocess
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks.measure import print_table

__all__ = ["main"]

ROUNDS = 2
"""Each is plain, watched, watched, plain."""

ITERATIONS = 700_000
"""About a minute: growth is believed after half of it."""

STRETCH_S = 10.0
TIMEOUT_S = 900.0
ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, sys, time
from pathlib import Path
iterations, ledger = int(sys.argv[1]), sys.argv[2]
kept, notes = {}, []

def work(n):
    nested = [{"k": i, "v": i / 3} for i in range(40)]
    text = json.dumps({"id": n, "tags": [str(n + i) for i in range(40)], "nested": nested})
    order = json.loads(text)
    order["sum"] = sum(item["v"] for item in order["nested"])
    counts = {}
    for tag in order["tags"]:
        counts[tag] = counts.get(tag, 0) + 1
    if n % 10 == 0:
        kept[n] = order["nested"][:4]  # the leak
    return counts

def run():
    started, next_note = time.perf_counter(), 0.0
    for n in range(iterations):
        work(n)
        now = time.perf_counter() - started
        if now >= next_note:
            notes.append((now, time.process_time(), n))
            next_note = now + 0.2
    notes.append((time.perf_counter() - started, time.process_time(), iterations))

if ledger == "-":
    run()
else:
    from memanalysis import watch
    with watch("churn", ledger=ledger, seal=False):
        run()
rss = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(json.dumps({"notes": notes, "cpu_s": time.process_time(), "rss_mib": rss / 1024}))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: times, processor times and iterations of its notes, and the figures of its ledger."""

    elapsed_s: Sequence[float]
    cpu_s: Sequence[float]
    iterations: Sequence[int]
    total_cpu_s: float
    rss_mib: float
    windows: Sequence[str]
    widest_gap_s: float

    def cpu_until(self, iteration: float) -> float:
        """Processor time up to an iteration, by interpolation."""
        after = min(max(1, bisect_left(self.iterations, iteration)), len(self.iterations) - 1)
        first, last = self.iterations[after - 1], self.iterations[after]
        share = (iteration - first) / (last - first)
        return self.cpu_s[after - 1] + share * (self.cpu_s[after] - self.cpu_s[after - 1])


def main() -> None:
    """Run the program by turns and print what watching cost."""
    plain: list[Run] = []
    watched: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4 * ROUNDS):
            is_watched = number % 4 in {1, 2}
            (watched if is_watched else plain).append(_run(Path(folder) / str(number) if is_watched else None))
    noise = [_find_worst(run, [other for other in plain if other is not run]) for run in plain]
    plain_s = mean(run.total_cpu_s for run in plain)
    shares = [run.total_cpu_s / plain_s - 1 for run in watched]
    of_time = [(run.total_cpu_s - plain_s) / run.elapsed_s[-1] for run in watched]
    plain_shares = [run.total_cpu_s / plain_s - 1 for run in plain]
    worst = [_find_worst(run, plain) for run in watched]
    rows = [
        ["processor time of the plain program", "", f"{plain_s:.1f} s"],
        ["watched, of one processor over the run (median)", "5 %", f"{median(of_time):+.1%}"],
        ["  of each run", "", " ".join(f"{share:+.1%}" for share in of_time)],
        ["watched, more processor time than plain (median)", "5 %", f"{median(shares):+.1%}"],
        ["  of each run", "", " ".join(f"{share:+.1%}" for share in shares)],
        ["  plain beside plain, which is noise", "", " ".join(f"{share:+.1%}" for share in plain_shares)],
        ["watched, in the worst 10 s of a processor (median)", "5 %", f"{median(worst):.1%}"],
        ["  of each run", "", " ".join(f"{share:.1%}" for share in worst)],
        ["  plain beside plain, which is noise", "", " ".join(f"{share:.1%}" for share in noise)],
        ["widest gap between samples", "2 s", f"{max(run.widest_gap_s for run in watched):.2f} s"],
        ["resident at the end, plain and watched", "", f"{_rss(plain):.0f} and {_rss(watched):.0f} MiB"],
    ]
    print_table("A busy program that leaks, watched with the defaults", ["what", "aim", "measured"], rows)
    for number, run in enumerate(watched, 1):
        print(f"windows of watched run {number}: {'; '.join(run.windows) or 'none'}")
    print()


def _run(ledger: Path | None) -> Run:
    arguments = [sys.executable, "-c", PROGRAM, str(ITERATIONS), "-" if ledger is None else str(ledger)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        arguments, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, env=environment, cwd=ROOT
    )
    found = json.loads(done.stdout)
    elapsed, cpu, iterations = zip(*found["notes"], strict=True)
    windows, gap = ([], 0.0) if ledger is None else _read_ledger(ledger)
    return Run(elapsed, cpu, iterations, found["cpu_s"], found["rss_mib"], windows, gap)


def _read_ledger(folder: Path) -> tuple[list[str], float]:
    from memanalysis.ledger.reading.ledger import open_ledger

    ledger = open_ledger(folder)
    started = ledger.runs["started"].iloc[0]
    windows = [
        f"{(when - started).total_seconds():.1f} s: {data['seconds']:.2f} s for {data['cost_s']:.2f} s"
        for when, kind, data in ledger.events[["timestamp", "kind", "data"]].itertuples(index=False)
        if kind == "window"
    ]
    return windows, float(ledger.samples["elapsed_s"].diff().max())


def _find_worst(run: Run, plain: Sequence[Run]) -> float:
    """Find the ten seconds in which a run took most above the plain ones for the same work, as share of a processor."""
    excess = [
        cpu - mean(other.cpu_until(iteration) for other in plain)
        for cpu, iteration in zip(run.cpu_s, run.iterations, strict=True)
    ]
    worst = 0.0
    for first, began in enumerate(run.elapsed_s):
        last = bisect_left(run.elapsed_s, began + STRETCH_S)
        if last < len(excess):
            worst = max(worst, excess[last] - excess[first])
    return worst / STRETCH_S


def _rss(runs: Sequence[Run]) -> float:
    return median(run.rss_mib for run in runs)
