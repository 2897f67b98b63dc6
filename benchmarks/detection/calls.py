"""How often ``find_leak`` is right, after how many calls, at what cost: each callable in a process of its own."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

from benchmarks.detection.callables import BENIGN, Case, list_leaks, make_benign, make_leak
from benchmarks.detection.healthy_calls import HEALTHY_CALLS
from benchmarks.detection.leaky_calls import LEAKY_CALLS
from benchmarks.measure import print_table
from memanalysis.analysis.arrays import FloatArray
from memanalysis.leaktest.sequential_test import FALSE_ALARMS, judge_calls, next_reading, weigh_rises

__all__ = ["main"]

SEED = 20260101
PROCESSES = 2
ROUNDS = 5
"""Harmless callables of each kind."""

LEAK_SHARE = 0.6
"""Share of the leaks that is run: with the harmless ones a quarter of an hour."""

NOISE_RUNS = 1_000
READINGS_UP_TO = 200_000
"""Calls of the simulated readings."""

Job = tuple[str, str, int, int, int]
Row = tuple[str, str, bool | None, float | None, int, float]

REAL = {"real, leaks": LEAKY_CALLS, "real, healthy": HEALTHY_CALLS}
"""Calls as programs make them, each once."""


def main(*, rounds: int = ROUNDS, leak_share: float = LEAK_SHARE) -> None:
    """Run all and print tables by kind."""
    started = time.perf_counter()
    jobs = list(_list_jobs(rounds, leak_share))
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, maxtasksperchild=1) as pool:
        rows = list(pool.imap_unordered(_run, jobs, chunksize=1))
    _print("Calls that leak, by where they keep it", [row for row in rows if row[0] == "leak"], right=True)
    _print("Calls that do not leak", [row for row in rows if row[0] == "benign"], right=False)
    _print("Calls of real programs that leak", [row for row in rows if row[0] == "real, leaks"], right=True)
    _print("Calls of real programs that do not leak", [row for row in rows if row[0] == "real, healthy"], right=False)
    wrong = [f"{row[1]}: {row[2]}" for row in rows if row[2] is not ("leak" in row[0])]
    print("Not as it is:", "; ".join(sorted(wrong)) or "none")
    _print_noise()
    print(f"{len(rows)} callables, {PROCESSES} processes at a time, {time.perf_counter() - started:.0f} s\n")


def _list_jobs(rounds: int, leak_share: float) -> Iterator[Job]:
    rng = random.Random(SEED)
    for kind, size, every in list_leaks():
        if rng.random() < leak_share:
            yield "leak", kind, size, every, rng.randrange(2**31)
    for kind in BENIGN:
        for _ in range(rounds):
            yield "benign", kind, 0, 0, rng.randrange(2**31)
    for truth, calls in REAL.items():
        for kind in calls:
            yield truth, kind, 0, 0, rng.randrange(2**31)


def _run(job: Job) -> Row:
    from memanalysis import find_leak

    truth, kind, size, every, seed = job
    rng = random.Random(seed)
    if truth in REAL:
        case = Case(kind, REAL[truth][kind](rng), "leak" in truth)
    else:
        case = make_leak(kind, size, every, rng) if truth == "leak" else make_benign(kind, rng)
    started_s = _cpu_s()
    found: Any = find_leak(case.call, collect=case.collect)
    return truth, case.name, found.is_leak, found.bytes_per_call, found.calls, _cpu_s() - started_s


def _cpu_s() -> float:
    """Seconds of processor time of this process and of the children that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _print_noise() -> None:
    """Readings of noise, without a process: how often each is called a leak when a check follows each reading."""
    calls = [1]
    while calls[-1] < READINGS_UP_TO:
        calls.append(next_reading(calls[-1]))
    at = np.array(calls, dtype=np.float64)
    table = []
    for name, noise in NOISE.items():
        rng = np.random.default_rng(SEED)
        alarms = sum(_is_called_leak(at, noise(rng, at)) for _ in range(NOISE_RUNS))
        table.append([name, f"{alarms} of {NOISE_RUNS}"])
    print_table("Readings of noise that are called a leak", ["noise", "false alarms"], table)


def _is_called_leak(calls: FloatArray, levels: FloatArray) -> bool:
    """Whether a check after any reading calls it a leak; the costly one follows where the test of signs has decided."""
    at, heights = calls.tolist(), levels.tolist()
    for size in range(9, calls.size + 1):
        if weigh_rises(at[:size], heights[:size]) * FALSE_ALARMS < 1:
            continue
        if judge_calls(calls[:size], levels[:size], min_per_call=4.0).is_leak:
            return True
    return False


NOISE: dict[str, Callable[[np.random.Generator, FloatArray], FloatArray]] = {
    "white, of normal distribution": lambda rng, at: rng.normal(0, 1_000, at.size),
    "white, of uniform distribution": lambda rng, at: rng.uniform(0, 50_000, at.size),
    "random walk, a step a reading": lambda rng, at: np.cumsum(rng.normal(0, 1_000, at.size)),
    "random walk, a step a call": lambda rng, at: np.cumsum(
        rng.normal(0, 100, at.size) * np.sqrt(np.diff(at, prepend=0))
    ),
    "spikes": lambda rng, at: (rng.random(at.size) < 0.1) * 100_000.0,
    "one step": lambda rng, at: 1e6 * (rng.uniform(1, 10_000) < at),
}


def _print(title: str, rows: list[Row], *, right: bool) -> None:
    kinds = sorted({_kind(row) for row in rows})
    table = [_cells(kind, [row for row in rows if _kind(row) == kind], right) for kind in kinds]
    header = ["kind", "callables", "leak", "no leak", "undecided", "median calls", "median CPU s", "worst CPU s"]
    print_table(title, header, [*table, _cells("all", rows, right)])


def _kind(row: Row) -> str:
    return row[1].split(",")[0] if row[0] == "leak" else row[1]


def _cells(kind: str, rows: list[Row], right: bool) -> list[str]:
    decided = [row for row in rows if row[2] is right]
    return [
        kind,
        str(len(rows)),
        str(sum(row[2] is True for row in rows)),
        str(sum(row[2] is False for row in rows)),
        str(sum(row[2] is None for row in rows)),
        f"{median(row[4] for row in decided):,.0f}" if decided else "-",
        f"{median(row[5] for row in decided):.1f}" if decided else "-",
        f"{max(row[5] for row in rows):.1f}",
    ]
