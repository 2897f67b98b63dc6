"""What watching costs real programs: twelve of the pyperformance package, beside always-on tracemalloc and its peers.

Processor time of the whole process tree, which other work on the machine disturbs little, as a multiple of the plain
program in the same run. ``memanalysis run`` runs for eight seconds and with ten ticks a second, ten times as many as by
default; the others for one second, and tracing of 25 frames, which may be sixty times as slow, for a third of one, each
beside a plain program as short. What a tool takes to start and to write its report is in its figure, for its user waits
for it too. Tools that are not installed have no column.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
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

MPROFILE = """
import os, runpy, sys
import mprofile
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
mprofile.start(sample_rate=512 * 1024)
runpy.run_path(sys.argv[0], run_name="__main__")
mprofile.take_snapshot()
"""
"""It has no command of its own."""

LONG_S = 8.0
SHORT_S = 1.0
SHORTEST_S = 0.3
TIMEOUT_S = 300.0
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run every program in every way and print the ratios."""
    folder = _find_programs()
    names = ["memanalysis", "tracemalloc 1", "tracemalloc 25", *_find_peers(Path())]
    table: list[list[float]] = []
    rows = []
    for name, loop_s in PROGRAMS.items():
        script = folder / f"bm_{name}" / "run_benchmark.py"
        with tempfile.TemporaryDirectory() as out:
            ratios = [_measure_run(script, loop_s, Path(out)), *_measure_peers(script, loop_s, Path(out))]
        table.append(ratios)
        rows.append([name, *(f"{ratio:.2f}" for ratio in ratios)])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    columns = list(zip(*table, strict=True))
    rows.append(["geometric mean", *(f"{statistics.geometric_mean(column):.2f}" for column in columns)])
    rows.append(["worst", *(f"{max(column):.2f}" for column in columns)])
    print_table("Processor time under whole tools, as a multiple of the plain program", ["program", *names], rows)


def _find_programs() -> Path:
    import pyperformance

    return Path(pyperformance.__file__).parent / "data-files" / "benchmarks"


def _find_peers(out: Path) -> dict[str, list[str]]:
    """How each tool that is installed runs a script."""
    peers = {
        "memray": ["-m", "memray", "run", "-q", "-f", "-o", str(out / "memray.bin")],
        "scalene": ["-m", "scalene", "run", "-o", str(out / "scalene.json")],
        "heapwise": ["-m", "heapwise", "run", "--html", str(out / "heapwise.html")],
        "mprofile": ["-c", MPROFILE],
    }
    return {name: how for name, how in peers.items() if find_spec(name) is not None}


def _measure_run(script: Path, loop_s: float, out: Path) -> float:
    """Ratio of ``memanalysis run`` to plain, plain before and after it."""
    arguments = _arguments(script, LONG_S / loop_s)
    watched = ["-m", "memanalysis", "run", "--ledger", str(out / "ledger"), "--interval", "0.1", *arguments]
    before_s, watched_s, after_s = _run(arguments), _run(watched), _run(arguments)
    return watched_s / statistics.mean([before_s, after_s])


def _measure_peers(script: Path, loop_s: float, out: Path) -> list[float]:
    short, shortest = _arguments(script, SHORT_S / loop_s), _arguments(script, SHORTEST_S / loop_s)
    ways = [(["-X", "tracemalloc=1"], short), (["-X", "tracemalloc=25"], shortest)]
    ways += [
        (how, [short[0], "---", *short[1:]] if name == "scalene" else short) for name, how in _find_peers(out).items()
    ]
    short_s = statistics.mean([_run(short), _run(short)])
    shortest_s = statistics.mean([_run(shortest), _run(shortest)])
    return [_run([*how, *what]) / (shortest_s if what is shortest else short_s) for how, what in ways]


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


if __name__ == "__main__":
    main()
