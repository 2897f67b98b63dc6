"""Pairs of runs of one program: what `compare` finds where nothing changed, and where one run holds 5 % more.

``python -m benchmarks compare`` compares simulated series of six kinds, then pairs of real runs of five healthy
programs: 20 pairs of equal runs, and 20 in which the second keeps 5 % of the program's memory more, at one line.
``MEMANALYSIS_PAIRS`` sets another number of pairs of each kind of program, ``MEMANALYSIS_SECONDS`` another time.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.detection.simulated import ar_noise
from benchmarks.measure import print_table
from memanalysis import compare
from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.comparison import WORSE, compare_samples

__all__ = ["KINDS", "PROGRAMS", "Found", "compare_programs", "compare_simulated", "main", "simulate_run"]

PROGRAM = Path(__file__).parent / "compared_program.py"
PROGRAMS = ("tables", "cache", "batches", "buffers", "threads")
PAIRS = int(os.environ.get("MEMANALYSIS_PAIRS", "4"))
SECONDS = float(os.environ.get("MEMANALYSIS_SECONDS", "5"))
EXTRA = 0.05
AT_ONCE = 2
START_AND_END_S = 120.0
N = 300
LEVEL_BYTES = 200e6

Draw = Callable[[np.random.Generator], FloatArray]


@dataclass(frozen=True, slots=True)
class Found:
    """Of how many pairs something was found: a change that is none, and the regression that was planted."""

    pairs: int
    alarms: int
    found: int
    named: int = 0


def _flat(rng: np.random.Generator) -> FloatArray:
    return 0.01 * ar_noise(rng, N, 0.8)


def _saw_teeth(rng: np.random.Generator) -> FloatArray:
    period = rng.integers(12, 40)
    return 0.25 * ((np.arange(N) + rng.integers(period)) % period) / period + 0.003 * rng.normal(size=N)


def _day_cycle(rng: np.random.Generator) -> FloatArray:
    return 0.05 * np.sin(np.linspace(0, 14 * np.pi, N) + rng.uniform(0, 0.3)) + 0.005 * ar_noise(rng, N, 0.7)


def _warm_up(rng: np.random.Generator) -> FloatArray:
    return -0.5 * np.exp(-np.arange(N) / rng.uniform(15, 30)) + 0.004 * rng.normal(size=N)


def _outliers(rng: np.random.Generator) -> FloatArray:
    return 0.004 * rng.normal(size=N) + 0.4 * (rng.random(N) < 0.02)


def _steps(rng: np.random.Generator) -> FloatArray:
    return 0.15 * (np.arange(N) > rng.integers(60, 120)) + 0.004 * rng.normal(size=N)


KINDS: Mapping[str, Draw] = {
    "flat, AR(1) noise": _flat,
    "saw-teeth": _saw_teeth,
    "day cycle": _day_cycle,
    "warm-up": _warm_up,
    "outliers": _outliers,
    "a step": _steps,
}
"""Shapes of a healthy run as shares of its level."""


def simulate_run(kind: str, rng: np.random.Generator, *, run_id: str, extra: float = 0.0) -> pd.DataFrame:
    """Return samples of a run whose level is higher by a share, and differs by 0.3 % from run to run."""
    level = LEVEL_BYTES * (1 + 0.003 * rng.normal())
    values = level * (1 + KINDS[kind](rng)) + extra * LEVEL_BYTES
    times = 10.0 * np.arange(N)
    return pd.DataFrame(
        {"service": kind, "run_id": run_id, "elapsed_s": times, "rss_bytes": values.round(), "timestamp": times}
    )


def compare_simulated(kind: str, *, pairs: int, seed: int, extra: float = EXTRA) -> Found:
    """Compare seeded pairs of one kind."""
    alarms = found = 0
    for pair in range(pairs):
        rng = np.random.default_rng([seed, pair])
        first, same = (simulate_run(kind, rng, run_id=name) for name in "ab")
        higher = simulate_run(kind, rng, run_id="c", extra=extra)
        alarms += bool((compare_samples(first, same)["verdict"] != "same").any())
        changes = compare_samples(first, higher).set_index("what")["verdict"]
        found += bool(changes["level_bytes"] == "more")
    return Found(pairs, alarms, found)


def record_program(folder: Path, kind: str, seconds: float, extra: float, number: int) -> Path:
    """Run one program under ``memanalysis run`` and return its ledger, named after the number."""
    ledger = folder / f"{kind}-{extra}-{number}"
    command = ["run", "--ledger", str(ledger), "--service", kind, "--interval", "0.1", str(PROGRAM)]
    subprocess.run(
        [sys.executable, "-m", "memanalysis", *command, kind, str(extra), str(seconds)],
        check=True,
        capture_output=True,
        timeout=seconds + START_AND_END_S,
    )
    return ledger


def compare_programs(
    *, pairs: int, programs: Sequence[str] = PROGRAMS, seconds: float = SECONDS, extra: float = EXTRA
) -> dict[str, Found]:
    """Compare pairs of runs of each program; the line that keeps this share more is ``remember``."""
    results = {}
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(temporary)
        for kind in programs:
            extras = [0.0, 0.0, extra] * pairs
            record = partial(record_program, folder, kind, seconds)
            made = list(pool.map(record, extras, range(len(extras))))
            alarms = found = named = 0
            for first, same, higher in zip(made[::3], made[1::3], made[2::3], strict=True):
                unchanged, changes = compare(first, same), compare(first, higher)
                _show(kind, extra, unchanged, changes)
                alarms += bool((unchanged["verdict"] != "same").any())
                found += bool((changes.loc[changes["what"] == "level_bytes", "verdict"] == "more").any())
                worse = changes[(changes["what"] == "site_bytes") & changes["verdict"].isin(WORSE)]
                named += worse["function"].head(1).tolist() == ["remember"]
            results[kind] = Found(pairs, alarms, found, named)
    return results


def _show(kind: str, extra: float, unchanged: pd.DataFrame, changes: pd.DataFrame) -> None:
    """Print how far two runs of one program lie apart."""
    for name, frame in (("same", unchanged), (f"{100 * extra:g} % more", changes)):
        level = frame[frame["what"] == "level_bytes"].iloc[0]
        others = frame.loc[(frame["verdict"] != "same"), ["what", "function", "verdict"]].to_numpy().tolist()
        share = level["change"] / level["before"]
        print(
            f"  {kind}, {name}: {100 * share:+.2f} % of {level['before'] / 1e6:.0f} MB, p {level['p_value']:.2g}",
            others,
        )


def main() -> None:
    """Print both tables."""
    rows = [
        [kind, str(found.pairs), str(found.alarms), str(found.found)]
        for kind in KINDS
        if (found := compare_simulated(kind, pairs=200, seed=7))
    ]
    print_table("compare of simulated runs, 300 samples", ["kind", "pairs", "false alarms", "5 % found"], rows)
    results = compare_programs(pairs=PAIRS)
    rows = [[kind, *map(str, (f.pairs, f.alarms, f.found, f.named))] for kind, f in results.items()]
    total = [str(sum(getattr(f, name) for f in results.values())) for name in ("pairs", "alarms", "found", "named")]
    print_table(
        f"compare of real runs of {SECONDS:g} s",
        ["program", "pairs", "false alarms", "5 % found", "line named"],
        [*rows, ["all", *total]],
    )
