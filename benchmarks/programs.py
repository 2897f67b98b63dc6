"""What watching costs real programs: twelve of the pyperformance package, beside always-on tracemalloc and two peers.

Processor time of the whole process tree, which other work on the machine disturbs little, as a multiple of the plain
program in the same run. ``trace="auto"`` runs for eight seconds and with ten ticks a second, ten times as many as by
default; the others for one second, and tracing of 25 frames, which may be sixty times as slow, for a third of one, each
beside a plain program as short.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import print_table

__all__ = ["main"]

PROGRAMS: dict[str, float] = {
    "chaos": 0.12,
    "deepcopy": 0.00075,
    "deltablue": 0.0055,
    "float": 0.13,
    "go": 0.2,
    "json_dumps": 0.02,
    "json_loads": 0.0006,
    "nqueens": 0.13,
    "pyflate": 0.75,
    "raytrace": 0.6,
    "regex_compile": 0.4,
    "richards": 0.125,
}
"""Seconds that one loop takes, roughly; decides only how many loops are run."""

LONG_S = 8.0
SHORT_S = 1.0
SHORTEST_S = 0.3
TIMEOUT_S = 300.0
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run every program in every way and print the ratios."""
    folder = _find_programs()
    header = ["program", "auto", "windows", "tracemalloc 1", "tracemalloc 25", "memray", "scalene"]
    table: list[list[float]] = []
    rows = []
    for name, loop_s in PROGRAMS.items():
        script = folder / f"bm_{name}" / "run_benchmark.py"
        with tempfile.TemporaryDirectory() as out:
            auto, windows = _measure_auto(script, loop_s, Path(out))
            ratios = [auto, *_measure_peers(script, loop_s, Path(out))]
        table.append(ratios)
        rows.append([name, f"{auto:.2f}", str(windows), *(f"{ratio:.2f}" for ratio in ratios[1:])])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    means = [statistics.geometric_mean(column) for column in zip(*table, strict=True)]
    rows.append(["geometric mean", f"{means[0]:.2f}", "", *(f"{mean:.2f}" for mean in means[1:])])
    print_table("Processor time of programs of pyperformance, as a multiple of the plain program", header, rows)


def _find_programs() -> Path:
    import pyperformance

    return Path(pyperformance.__file__).parent / "data-files" / "benchmarks"


def _measure_auto(script: Path, loop_s: float, out: Path) -> tuple[float, int]:
    """Ratio of ``memanalysis run`` to plain, plain before and after it, and how many windows were opened."""
    arguments = _arguments(script, LONG_S / loop_s)
    ledger = out / "ledger"
    watched = ["-m", "memanalysis", "run", "--ledger", str(ledger), "--interval", "0.1", *arguments]
    plain = [_run(arguments)]
    auto = [_run(watched)]
    plain.append(_run(arguments))
    windows = sum(path.read_text().count('"kind":"window"') for path in (ledger / "live" / "events").rglob("*.jsonl"))
    return auto[0] / statistics.mean(plain), windows


def _measure_peers(script: Path, loop_s: float, out: Path) -> list[float]:
    short, shortest = _arguments(script, SHORT_S / loop_s), _arguments(script, SHORTEST_S / loop_s)
    peers = (
        (["-X", "tracemalloc=1"], short),
        (["-X", "tracemalloc=25"], shortest),
        (["-m", "memray", "run", "-q", "-f", "-o", str(out / "memray.bin")], short),
        (["-m", "scalene", "run", "-o", str(out / "scalene.json")], [short[0], "---", *short[1:]]),
    )
    short_s = statistics.mean([_run(short), _run(short)])
    shortest_s = statistics.mean([_run(shortest), _run(shortest)])
    return [_run([*how, *what]) / (shortest_s if what is shortest else short_s) for how, what in peers]


def _arguments(script: Path, loops: float) -> list[str]:
    """One value of the program in this very process, as pyperf's own workers make it."""
    return [str(script), "--worker", "-l", str(max(1, round(loops))), "-n", "1", "-w", "0"]


def _run(arguments: Sequence[str]) -> float:
    """Processor seconds of a Python with these arguments, and of its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=TIMEOUT_S, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
