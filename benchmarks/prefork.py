"""A hundred forked workers that watch themselves into one ledger: what they cost, and what fifty that are killed lose.

``python -m benchmarks prefork`` runs the server of `family_programs` for 10 min: plain, watched with the defaults, and
watched rarely. Half of the workers are killed at random moments of its second half. ``MEMANALYSIS_WORKERS`` and
``MEMANALYSIS_SECONDS`` set other numbers.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.measure import Demand, print_demands, print_table
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

__all__ = ["PreforkRun", "judge_ledger", "main", "run_server"]

PROGRAM = Path(__file__).parent / "family_programs" / "prefork_server.py"
ROOT = Path(__file__).parents[1]
WORKERS = int(os.environ.get("MEMANALYSIS_WORKERS", "100"))
SECONDS = float(os.environ.get("MEMANALYSIS_SECONDS", "600"))
SEED = 20250101
RARELY = {"interval": 5.0, "snapshot_interval": 3600.0, "trace": "off"}
"""How many workers of one kind are watched where each is to cost next to nothing."""

MAX_SHARE = 0.01
"""Of a processor that watching all workers may take, after their start."""

STARTED_SHARE = 0.5
"""Processor time counts from this part of the run on: what a start costs is shown apart."""

END_S = 240.0
"""The server has this much more time than it asks for."""


@dataclass(frozen=True, slots=True)
class PreforkRun:
    """What a server wrote of its workers, by process: the marks that were taken, and seconds with processor seconds."""

    victims: list[int]
    marks: dict[int, int]
    times: dict[int, list[tuple[float, float]]]

    def measure_steady(self) -> float:
        """Return the processor seconds a second of all workers together, after their start."""
        shares = []
        first = min(moment for own in self.times.values() for moment, _ in own)
        begin = first + STARTED_SHARE * SECONDS
        for own in self.times.values():
            late = [(moment, used) for moment, used in own if moment >= begin]
            if len(late) > 1:
                shares.append((late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0]))
        return len(self.times) * sum(shares) / len(shares)

    def measure_start(self) -> float:
        """Return the processor seconds that a worker has used at its first mark, in the median."""
        return median(own[0][1] for own in self.times.values())


@dataclass(frozen=True, slots=True)
class Judged:
    """What the ledger holds: runs, marks that are missing, samples that are missing or twice, and the verdicts."""

    runs: int
    lost_marks: int
    lost_samples: int
    doubled_samples: int
    verdicts: pd.DataFrame


def main() -> int:
    """Run the server plain and watched, print what watching costs and what was lost, and count missed demands."""
    plain = run_server(SECONDS, workers=WORKERS, kills=0)
    n_missed = 0
    for title, options in (("with the defaults", {}), ("rarely", RARELY)):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, "ledger")
            watched = run_server(SECONDS, workers=WORKERS, kills=WORKERS // 2, options={"ledger": str(path), **options})
            judged = judge_ledger(path, watched)
        shares = [run.measure_steady() for run in (plain, watched)]
        family = judged.verdicts[judged.verdicts["role"] == "family"]
        rows = [
            ["of a processor, plain", f"{shares[0]:.2%}"],
            ["of a processor, watched", f"{shares[1]:.2%}"],
            ["of a processor, watching", f"{shares[1] - shares[0]:.2%}"],
            ["ms a worker, start", f"{1000 * (watched.measure_start() - plain.measure_start()):.0f}"],
            ["runs", str(judged.runs)],
            ["killed", str(len(watched.victims))],
            ["marks lost, of", f"{judged.lost_marks} of {sum(watched.marks.values())}"],
            ["samples lost, twice", f"{judged.lost_samples}, {judged.doubled_samples}"],
            ["verdicts on the family", str(len(family))],
        ]
        print_table(f"{WORKERS} forked workers, {SECONDS:.0f} s, watched {title}", ["", "figure"], rows)
        print(*family["sentence"], "", sep="\n")
        n_missed += print_demands(f"Demands, watched {title}", _list_demands(judged, shares[1] - shares[0]))
    return n_missed


def _list_demands(judged: Judged, share: float) -> list[Demand]:
    n_lost = judged.lost_marks + judged.lost_samples + judged.doubled_samples
    n_families = int((judged.verdicts["role"] == "family").sum())
    return [
        Demand("of a processor, watching", f"{share:.2%}", f"at most {MAX_SHARE:.0%}", share <= MAX_SHARE),
        Demand("marks and samples lost or twice", f"{n_lost}", "0", n_lost == 0),
        Demand("verdicts on the family", f"{n_families}", "1", n_families == 1),
    ]


def run_server(
    seconds: float, *, workers: int, kills: int, options: Mapping[str, Any] | None = None, seed: int = SEED
) -> PreforkRun:
    """Run the server to its end, and return what it wrote; nothing is watched without options of `watch`."""
    numbers = [str(seconds), str(workers), str(kills), str(seed)]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *numbers, json.dumps(options)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + END_S,
    )
    shown = json.loads(done.stdout)
    run = PreforkRun(shown["victims"], {}, {})
    for pid, marks, moment, used in shown["written"]:
        run.marks[int(pid)] = int(marks)
        run.times.setdefault(int(pid), []).append((float(moment), float(used)))
    return run


def judge_ledger(path: Path, run: PreforkRun) -> Judged:
    """Hold the ledger against what the server wrote."""
    ledger = open_ledger(path)
    runs, samples, events = ledger.runs, ledger.samples, ledger.events
    marks = events[events["kind"] == "mark"].groupby("run_id")["message"].agg(set).to_dict()
    written = {int(pid): marks.get(run_id, set()) for pid, run_id in zip(runs["pid"], runs["run_id"], strict=True)}
    lost = [
        number
        for pid, count in run.marks.items()
        for number in range(1, count + 1)
        if f"mark {number}" not in written.get(pid, set())
    ]
    seq = samples.groupby("run_id")["seq"]
    return Judged(
        runs=len(runs),
        lost_marks=len(lost),
        lost_samples=int((seq.max() + 1 - seq.nunique()).sum()),
        doubled_samples=int(samples.duplicated(["run_id", "seq"]).sum()),
        verdicts=assess(path),
    )
