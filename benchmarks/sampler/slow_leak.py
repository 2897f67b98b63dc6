"""The first truth: of a program that churns 200 MB a second and leaks 1 MB a minute, line, stack and holder are named.

The program runs plain and under ``memanalysis run`` for the same number of turns. What it took of the processor, and
what its ledger shows, are printed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import print_table
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
SECONDS = 60

PROGRAM = """
import sys, time
remembered = {}
class Session:
    def __init__(self, number):
        self.payload = bytes(900)
        self.number = number
def remember(number):
    remembered[number] = Session(number)  # the leak
def churn():
    return [bytes(10_000) for _ in range(200)]
turns = 100 * int(sys.argv[1])
started = time.monotonic()
for turn in range(turns):
    churn()
    if turn % 6 == 0:
        remember(turn)
    time.sleep(max(0.0, started + turn / 100 - time.monotonic()))
"""


def main() -> None:
    """Run both, and print what was found and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "churning.py"
        script.write_text(PROGRAM)
        plain_s = _run([str(script)], folder)
        watched_s = _run(["-m", "memanalysis", "run", "--ledger", "ledger", str(script)], folder)
        ledger = open_ledger(Path(folder) / "ledger")
        verdict = assess(ledger).iloc[0]
        line = next(number for number, text in enumerate(PROGRAM.splitlines(), 1) if text.endswith("# the leak"))
        sites = ledger.sites
        stacks = sites[
            sites["traceback"].map(lambda frames: [str(script), line] in [list(frame[:2]) for frame in frames])
        ]
    place = f"{Path(str(verdict['responsible_file'])).name}:{verdict['responsible_line']}"
    rows = [
        ["is it a leak", str(bool(verdict["is_leak"])), "True"],
        ["line", place, f"churning.py:{line} or what it calls"],
        ["rows of sites with the line in their stack", str(len(stacks)), "1 or more"],
        ["held by", str(verdict["held_by"]), "__main__.remembered"],
        ["processor time, plain", f"{plain_s:.2f} s", ""],
        ["processor time, watched", f"{watched_s:.2f} s", ""],
        ["more, of one processor", f"{(watched_s - plain_s) / SECONDS:.2%}", "1 % or less"],
    ]
    print_table(f"1 MB a minute leaked, 200 MB a second churned, {SECONDS} s", ["what", "found", "wanted"], rows)
    print(f"{verdict['sentence']}\n")


def _run(arguments: list[str], folder: str) -> float:
    """Run Python to its end and return the seconds of the processor that it took."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *arguments, str(SECONDS)], cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
