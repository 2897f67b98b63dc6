"""Real programs, watched as a user would: each is to be called rightly at every tenth second, and its file named.

``python -m benchmarks programs`` runs each program of the folder ``cases`` of the material under ``memanalysis run``
with its defaults, sampled and in windows. A word of leak that is taken back later is a failure too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.detection.material import find_material
from benchmarks.measure import print_table
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("MEMANALYSIS_SECONDS", "75"))
FIRST_MOMENT_S, STEP_S = 20, 10
MODES = ("sampled", "windows")


def main() -> None:
    """Run the programs, and print a row each."""
    folder = find_material()
    if folder is None or not (folder / "cases").is_dir():
        print("There are no programs on this machine: MEMANALYSIS_MATERIAL names the folder that has them.\n")
        return
    for mode in MODES:
        rows = [judge(script, mode) for script in sorted((folder / "cases").glob("[lh]*.py"))]
        header = ["program", "leaks", "called", "moment by moment", "right file", "verdict"]
        print_table(f"Programs, {SECONDS} s, trace={mode}", header, rows)


def judge(script: Path, mode: str) -> list[str]:
    """Run one program and return its row: moments are L for a leak, - for none, ? for what is undecided."""
    is_leak = script.name.startswith("l")
    with tempfile.TemporaryDirectory() as place:
        ledger = Path(place) / "ledger"
        command = [sys.executable, "-m", "memanalysis", "run", "--trace", mode, "--ledger", str(ledger)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, str(script), str(SECONDS)], cwd=place, env=environment, capture_output=True, check=False
        )
        verdicts = assess(ledger)
        samples = open_ledger(ledger).samples
    if done.returncode:
        return [script.stem, "", "", "", "", done.stderr.decode(errors="replace").strip().splitlines()[-1][:60]]
    worst = verdicts.sort_values("is_leak").iloc[-1]
    process = verdicts[verdicts["role"] != "family"].sort_values("is_leak").iloc[-1]  # a sum has no samples of its own
    of_run = samples[samples["run_id"] == process["run_id"]]
    moments_s = [*range(FIRST_MOMENT_S, SECONDS + 1, STEP_S), SECONDS + 60]
    moments = "".join(_mark(assess_samples(of_run[of_run["elapsed_s"] <= moment]).iloc[0]) for moment in moments_s)
    named = Path(str(worst["responsible_file"])).name == script.name or "__main__." in str(worst["held_by"])
    return [
        script.stem,
        "yes" if is_leak else "no",
        "yes" if worst["is_leak"] else "no",
        moments + (" TAKEN BACK" if "L" in moments.rstrip("L") and is_leak else ""),
        ("yes" if named else "no") if is_leak else "",
        f"{worst['shape']}, {worst['origin']}",
    ]


def _mark(verdict: Any) -> str:
    if verdict["is_leak"]:
        return "L"
    return "?" if verdict["shape"] in ("inconclusive", "slowing") else "-"
