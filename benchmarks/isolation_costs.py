"""What a child of a program under ``memanalysis run`` costs, beside one of the plain program.

A fork that ends at once, beside one of a plain process that has loaded the same modules as well, since a larger process
is copied for longer; and a Python that ends at once.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.measure import print_table

__all__ = ["print_costs"]

ROOT = Path(__file__).parents[1]
REPEATS = 3

FORKS = """
import os, time
def fork():
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return time.perf_counter() - started
seconds = sorted(fork() for _ in range(200))
print(1000 * seconds[len(seconds) // 2])
"""

MODULES = "import memanalysis.watcher.recorder\n"

PYTHONS = """
import subprocess, sys, time
def start():
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"])
    return time.perf_counter() - started
seconds = sorted(start() for _ in range(15))
print(1000 * seconds[len(seconds) // 2])
"""


def print_costs() -> None:
    """Measure, and print milliseconds, ratios and the number of files."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cases = (("fork and wait", FORKS, FORKS), ("the same, beside as large a process", MODULES + FORKS, FORKS))
        for number, (name, plain, watched) in enumerate((*cases, ("Python child", PYTHONS, PYTHONS))):
            place = Path(folder) / str(number)
            place.mkdir()
            pairs = [_measure_pair(plain, watched, place) for _ in range(REPEATS)]
            plain_ms, watched_ms = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
            ratio = median(pair[1] / pair[0] for pair in pairs)
            files = sum(path.is_file() for path in (place / "ledger").rglob("*")) // REPEATS
            rows.append([name, f"{plain_ms:.2f}", f"{watched_ms:.2f}", f"{ratio:.1f}", str(files)])
    header = ["a child that ends at once", "plain ms", "run ms", "ratio", "files of the whole run"]
    print_table("What children cost under memanalysis run (medians)", header, rows)


def _measure_pair(plain: str, watched: str, place: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "memanalysis", "run", "--ledger", str(place / "ledger")]
    return _measure([sys.executable], plain, place), _measure(command, watched, place)


def _measure(command: list[str], source: str, place: Path) -> float:
    (place / "program.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "program.py"], capture_output=True, text=True, check=True, cwd=place, env=environment
    )
    return float(re.findall(r"[\d.]+", done.stdout)[-1])
