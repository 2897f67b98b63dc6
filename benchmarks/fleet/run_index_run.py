"""What reading the runs of a fleet takes with the index of runs and without: requests and time, by folder and bucket.

``python -m benchmarks run_index`` writes the rows of ``runs`` of 1,000 services, a file a run, into a folder and behind
a server of the S3 protocol, and reads them, before and after ``index_runs``. The exit code is 1 where an index saves
less than is demanded.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from pandas.testing import assert_frame_equal
from s3fs import S3FileSystem

from benchmarks.fleet.bucket import open_bucket
from benchmarks.fleet.plan import FleetPlan, plan_services
from benchmarks.fleet.run import make_plan
from benchmarks.fleet.simulate import write_fleet
from benchmarks.measure import Demand, print_demands, print_table, processor_seconds_of, seconds_of
from memanalysis.ledger.files import files_at
from memanalysis.ledger.maintenance.index_runs import index_runs
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.run_ends import read_runs

__all__ = ["main"]

ROWS = 20_000_000
"""Samples of the fleet that has 1,000 services; its runs alone are written."""

REPEATS = 3

MAX_SHARE = 0.2
"""Of the processor time without an index."""

REQUESTS = ("list_objects_v2", "head_object", "get_object")


def main() -> int:
    """Measure both places, print what each reading took, and count missed demands."""
    plan = make_plan(ROWS)
    demands = []
    with tempfile.TemporaryDirectory() as folder:
        demands += _measure_place("folder", plan, str(Path(folder, "ledger")))
    with open_bucket("fleet") as bucket:
        demands += _measure_place("bucket", plan, f"{bucket}/ledger")
    return print_demands("Demands", demands)


def _measure_place(place: str, plan: FleetPlan, target: str) -> list[Demand]:
    written = write_fleet(plan, plan_services(plan), target, only_runs=True)["runs"]
    before, runs, requests_before = _measure_reading(target)
    done = []
    index_s = processor_seconds_of(lambda: done.append(index_runs(files_at(target))))
    again_s = processor_seconds_of(lambda: index_runs(files_at(target)))
    after, indexed, requests_after = _measure_reading(target)
    assert_frame_equal(indexed, runs)
    title = f"{place}: {written.rows:,} runs of {plan.services:,} services in {written.files:,} files"
    rows = [
        [what, *(f"{requests[name]:,}" for name in REQUESTS), f"{taken[0]:.2f} s", f"{taken[1]:.2f} s"]
        for what, taken, requests in (("files", before, requests_before), ("index", after, requests_after))
    ]
    print_table(title, ["read from", "LIST", "HEAD", "GET", "wall", "processor"], rows)
    print(f"written: {done[0].files} files of the index in {index_s:.1f} s of processor time; again {again_s:.2f} s\n")
    share = after[1] / before[1]
    demand = Demand(
        f"{place}: processor time, of that without", f"{share:.3f}", f"at most {MAX_SHARE}", share <= MAX_SHARE
    )
    return [demand]


def _measure_reading(target: str) -> tuple[tuple[float, float], pd.DataFrame, Counter[str]]:
    """Return wall and processor time of reading the runs, the runs, and the requests of one reading."""
    ledger = open_ledger(target)
    with _counting_requests() as requests:
        runs = read_runs(ledger)
    found: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        taken: list[float] = []
        processor_s = processor_seconds_of(lambda: taken.append(seconds_of(lambda: read_runs(ledger))))  # noqa: B023
        found.append((taken[0], processor_s))
    return (median(wall for wall, _ in found), median(used for _, used in found)), runs, requests


@contextmanager
def _counting_requests() -> Iterator[Counter[str]]:
    """Count what is sent to a bucket, by the name of the request."""
    requests: Counter[str] = Counter()
    send: Callable[..., Any] = S3FileSystem._call_s3

    async def count(self: Any, method: str, *args: Any, **named: Any) -> Any:
        requests[method] += 1
        return await send(self, method, *args, **named)

    S3FileSystem._call_s3 = count
    try:
        yield requests
    finally:
        S3FileSystem._call_s3 = send
