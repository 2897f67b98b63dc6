"""Judge a ledger in a process of its own, and measure what that takes: seconds, and the peak of each process.

``python -m benchmarks.fleet.judging LEDGER WORK RESULT`` is that process: it prints its figures as JSON and writes the
verdicts to RESULT. The cluster of Dask is up before the clock starts, as that of a team is.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from memanalysis.capture.high_water import read_resident
from memanalysis.reports.make_report import report
from memanalysis.reports.trend_report import trend
from memanalysis.verdicts.assess import assess

__all__ = ["WORKER_MEMORY", "WORKS", "Judged", "judge_apart"]

ROOT = Path(__file__).parents[2]

WORKS = ("pandas", "latest", "report", "trend", "dask-1", "dask-2")

WORKER_MEMORY = "2GiB"
"""Limit of each worker: Dask pauses and then ends one that comes near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What judging a ledger took.

    Parameters
    ----------
    start_s : float
        Seconds until the cluster was up; 0 where there is none.
    wall_s, processor_s : float
        Seconds of judging, and processor seconds of the process that asked.
    peak_bytes : int
        Most that was ever resident in that process.
    worker_processor_s, worker_peak_bytes : list
        The same of each worker.
    verdicts : DataFrame or None
        None of a report and a trend.
    """

    start_s: float
    wall_s: float
    processor_s: float
    peak_bytes: int
    worker_processor_s: list[float]
    worker_peak_bytes: list[int]
    verdicts: pd.DataFrame | None

    @property
    def path_s(self) -> float:
        """Processor seconds of the process that asked and of its busiest worker: the least that a clock can show."""
        return self.processor_s + max(self.worker_processor_s, default=0.0)


def judge_apart(path: str, work: str) -> Judged:
    """Judge a ledger in a process of its own, by one of `WORKS`."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "verdicts.pickle")
        command = [sys.executable, "-m", "benchmarks.fleet.judging", path, work, str(result)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        verdicts = pd.read_pickle(result) if result.exists() else None  # noqa: S301  written by the process above
    return Judged(verdicts=verdicts, **json.loads(done.stdout))


def main(path: str, work: str, result: str) -> None:
    """Judge a ledger here, and print what it took."""
    started = time.perf_counter()
    with _open_cluster(int(work.removeprefix("dask-"))) if work.startswith("dask") else nullcontext() as client:
        before = {} if client is None else dict(client.run(_read_use).values())
        begun, used = time.perf_counter(), time.process_time()
        if work in ("report", "trend"):
            (report if work == "report" else trend)(path).to_html()
        else:
            engine = "pandas" if client is None else "dask"
            assess(path, engine=engine, only_latest=work == "latest").to_pickle(result)
        wall_s, processor_s = time.perf_counter() - begun, time.process_time() - used
        after = {} if client is None else dict(client.run(_read_use).values())
    if set(after) != set(before):  # the peak of one that was killed is lost
        raise RuntimeError(f"the workers {sorted(before)} were to judge, but those at the end are {sorted(after)}")
    figures = {
        "start_s": begun - started if before else 0.0,
        "wall_s": wall_s,
        "processor_s": processor_s,
        "peak_bytes": _read_use()[1][1],
        "worker_processor_s": [after[pid][0] - before[pid][0] for pid in before],
        "worker_peak_bytes": [peak for _, peak in after.values()],
    }
    print(json.dumps(figures))


def _open_cluster(n_workers: int) -> Any:
    """Start that number of workers, a process and a thread each; their client is then the one of this process."""
    from distributed import Client

    return Client(
        n_workers=n_workers, threads_per_worker=1, memory_limit=WORKER_MEMORY, dashboard_address="127.0.0.1:0"
    )


def _read_use() -> tuple[int, tuple[float, int]]:
    """Return this process, its processor seconds, and the most that was ever resident in it (``VmHWM``)."""
    memory = read_resident()
    if memory is None:
        raise RuntimeError("the peak of a process is read from /proc, which this system does not have")
    return os.getpid(), (time.process_time(), memory.highest_bytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
