"""Judge simulated fleets: time and peak memory by engine, equal answers, and what of the planted leaks is found.

``python -m benchmarks fleet`` writes a ledger of 200,000 samples; ``--rows`` sets another number. From 2 to 20 million
take ``--rows 2000000 20000000``. With ``--bucket`` the ledgers lie behind a server of the S3 protocol.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal

from benchmarks.fleet.bucket import open_bucket
from benchmarks.fleet.plan import FleetPlan, plan_services
from benchmarks.fleet.simulate import Written, write_fleet
from benchmarks.fleet.truth import FoundLeaks, hold_against_truth
from benchmarks.measure import print_table
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.verdicts.assess import assess

__all__ = ["Judged", "judge_apart", "main", "make_plan"]

ROWS_A_SERVICE = 20_000
MIN_SERVICES = 20
SERVICES_A_HOST = 10
MIN_HOSTS = 10

SUBSET = 10
"""One service of this number is judged by pandas, and compared with what Dask gives."""

WORKS = ("pandas", "latest", "report", "dask 1", "dask 2")

JUDGE = """
import resource, sys, time
import memanalysis
from memanalysis.verdicts.dask_engine import DaskEngine
path, work, result = sys.argv[1:]
started, used = time.perf_counter(), time.process_time()
if work == "report":
    memanalysis.report(path).to_html()
else:
    dask = DaskEngine(show=lambda text: None, n_workers=int(work[-1])) if work.startswith("dask") else "pandas"
    memanalysis.assess(path, engine=dask, only_latest=work == "latest").to_pickle(result)
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(time.perf_counter() - started, time.process_time() - used, *peaks)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What judging a ledger took: seconds, processor seconds of the calling process, and peaks of memory in KiB."""

    wall_s: float
    processor_s: float
    peak_kib: int
    worker_peak_kib: int
    verdicts: pd.DataFrame | None


def make_plan(rows: int, *, seed: int = 7) -> FleetPlan:
    """Return a fleet of that size: 20,000 samples a service, ten services a host."""
    services = max(MIN_SERVICES, rows // ROWS_A_SERVICE)
    return FleetPlan(seed=seed, rows=rows, services=services, hosts=max(MIN_HOSTS, services // SERVICES_A_HOST))


def judge_apart(path: str, work: str) -> Judged:
    """Judge a ledger in a process of its own, by one of `WORKS`."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "verdicts.pickle")
        command = [sys.executable, "-c", JUDGE, path, work, str(result)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall_s, processor_s, peak_kib, worker_peak_kib = map(float, done.stdout.split())
        verdicts = pd.read_pickle(result) if result.exists() else None  # noqa: S301  written by the process above
    return Judged(
        wall_s=wall_s,
        processor_s=processor_s,
        peak_kib=int(peak_kib),
        worker_peak_kib=int(worker_peak_kib) if work.startswith("dask") else 0,
        verdicts=verdicts,
    )


def main(*, sizes: Sequence[int] = (200_000,), bucket: bool = False, works: Sequence[str] = WORKS) -> None:
    """Measure each size, and print what was written, what judging it took, and what was found."""
    for rows in sizes:
        plan = make_plan(rows)
        with ExitStack() as opened:
            place = (
                f"{opened.enter_context(open_bucket('fleet'))}/ledger"
                if bucket
                else str(Path(opened.enter_context(tempfile.TemporaryDirectory()), "ledger"))
            )
            used = time.process_time()
            written = write_fleet(plan, plan_services(plan), place)
            title = f"{plan.services:,} services on {plan.hosts:,} hosts, {'in a bucket' if bucket else 'in a folder'}"
            _print_written(title, written, time.process_time() - used)
            judged = {work: judge_apart(place, work) for work in works}
            _print_judged(title, judged)
            answers = {work: one.verdicts for work, one in judged.items() if one.verdicts is not None}
            _print_equality(place, answers)
            for work, verdicts in answers.items():
                if work != "latest":
                    _print_found(work, hold_against_truth(verdicts, plan_services(plan)))
            if not bucket:
                _print_compaction(place)


def _print_written(title: str, written: Mapping[str, Written], used_s: float) -> None:
    rows = [
        [
            table,
            f"{one.rows:,}",
            f"{one.files:,}",
            f"{one.size_bytes / 1e6:,.1f} MB",
            f"{one.size_bytes / one.rows:.1f}",
        ]
        for table, one in written.items()
    ]
    print_table(f"{title}: written in {used_s:.1f} s", ["table", "rows", "files", "size", "bytes a row"], rows)


def _print_judged(title: str, judged: Mapping[str, Judged]) -> None:
    rows = [
        [
            work,
            f"{one.wall_s:.1f} s",
            f"{one.processor_s:.1f} s",
            f"{one.peak_kib / 1024:.0f} MiB",
            f"{one.worker_peak_kib / 1024:.0f} MiB" if one.worker_peak_kib else "-",
        ]
        for work, one in judged.items()
    ]
    print_table(f"{title}: judged", ["by", "wall", "processor", "peak here", "peak of a worker"], rows)
    if {"dask 1", "dask 2"} <= set(judged):
        print(f"Two workers take {judged['dask 2'].wall_s / judged['dask 1'].wall_s:.2f} of one worker's time.")


def _print_equality(place: str, answers: Mapping[str, pd.DataFrame]) -> None:
    for work in ("dask 1", "dask 2"):
        if work not in answers:
            continue
        names = sorted(answers[work]["service"].dropna().unique())[::SUBSET]
        ours = answers[work]["service"].isin(names)
        expected = assess(place, services=names)
        assert_frame_equal(answers[work][ours].reset_index(drop=True), expected, check_dtype=False)
        print(f"{work} gives the {len(expected):,} verdicts of pandas on {len(names):,} services.")


def _print_found(work: str, found: FoundLeaks) -> None:
    print(
        f"{work}: {found.found} of {found.planted} planted leaks found, {found.named} with their line. Of "
        f"{found.runs:,} runs {found.alarms} of a day or more and {found.short_alarms} shorter ones are false alarms.\n"
    )


def _print_compaction(place: str) -> None:
    used = time.process_time()
    merged = compact_ledger(place).merged
    seconds = time.process_time() - used
    print(f"compact: {merged.sources:,} files become {merged.files:,} in {seconds:.1f} s of processor time.")
    _print_judged("after compact", {"pandas": judge_apart(place, "pandas")})


if __name__ == "__main__":
    main()
