"""Judge simulated fleets: time and peak memory by engine, equal answers, and what of the planted leaks is found.

``python -m benchmarks fleet`` writes a ledger of 200,000 samples; ``--rows`` sets other numbers. From 2 to 20 million
take ``--rows 2000000 20000000``. With ``--bucket`` the ledgers lie behind a server of the S3 protocol. ``--works`` sets
who judges; of one that is named twice, the quicker time counts. ``--file-days`` sets how many days a file spans, as
after compaction. What is demanded comes last; the exit code is 1 where one is missed.
``--rows 100000000 --rows-a-service 100000 --interval 15 --works pandas report trend`` takes 3 GB of disk.
"""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal

from benchmarks.fleet.bucket import open_bucket
from benchmarks.fleet.judging import WORKS, Judged, judge_apart
from benchmarks.fleet.plan import DAY_S, FleetPlan, plan_services
from benchmarks.fleet.simulate import Written, write_fleet
from benchmarks.fleet.truth import FoundLeaks, hold_against_truth
from benchmarks.measure import Demand, print_demands, print_table
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.units import GIB, MIB, format_bytes
from memanalysis.verdicts.assess import assess

__all__ = ["JudgedFleet", "list_demands", "main", "make_plan"]

ROWS_A_SERVICE = 20_000
MIN_SERVICES = 20
SERVICES_A_HOST = 10
MIN_HOSTS = 10

COMPACT = "compact"
"""Among the works: merge the files of a folder, and judge that."""

SUBSET = 10
"""One service of this number is judged by pandas, and compared with what Dask gives."""

MAX_SHARE_OF_TWO = 0.6
"""Of the time of one worker that two may take."""

MIN_ROWS_OF_SHARE = 2_000_000
"""A smaller ledger is judged before two workers have loaded what they need."""

MAX_WORKER_BYTES = 2 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFleet:
    """A fleet of some samples: what judging it took, and what was found, by work."""

    rows: int
    judged: Mapping[str, Judged]
    found: Mapping[str, FoundLeaks]


def make_plan(rows: int, *, seed: int = 7, rows_a_service: int = ROWS_A_SERVICE, interval_s: float = 60.0) -> FleetPlan:
    """Return a fleet of that size, with ten services a host."""
    services = max(MIN_SERVICES, rows // rows_a_service)
    hosts = max(MIN_HOSTS, services // SERVICES_A_HOST)
    return FleetPlan(seed=seed, rows=rows, services=services, hosts=hosts, interval_s=interval_s)


def main(
    *,
    sizes: Sequence[int] = (200_000,),
    bucket: bool = False,
    file_days: float = 1.0,
    works: Sequence[str] | None = None,
    rows_a_service: int = ROWS_A_SERVICE,
    interval_s: float = 60.0,
) -> int:
    """Measure each size, print what was written, what judging it took and what was found, and count missed demands."""
    fleets = []
    for rows in sizes:
        plan = make_plan(rows, rows_a_service=rows_a_service, interval_s=interval_s)
        plan = replace(plan, file_s=file_days * DAY_S)
        fleets.append(_judge_fleet(plan, bucket=bucket, works=works or (*WORKS, COMPACT)))
    return print_demands("Demands", list_demands(fleets))


def list_demands(fleets: Sequence[JudgedFleet]) -> list[Demand]:
    """Hold what was measured against what is demanded of a fleet."""
    demands = []
    for fleet in fleets:
        own = [
            *(_demand_speed_of_two(fleet.judged) if fleet.rows >= MIN_ROWS_OF_SHARE else ()),
            *_demand_small_workers(fleet.judged),
            *(demand for work, found in fleet.found.items() for demand in _demand_leaks(work, found)),
        ]
        demands += [(f"{fleet.rows:,} samples: {what}", *rest) for what, *rest in own]
    for small, large in pairwise(sorted(fleets, key=lambda fleet: fleet.rows)):
        demands += _demand_growth(small, large)
    return [Demand(*demand) for demand in demands]


_Demanded = tuple[str, str, str, bool]


def _demand_speed_of_two(judged: Mapping[str, Judged]) -> list[_Demanded]:
    if not {"dask-1", "dask-2"} <= set(judged):
        return []
    one, two = judged["dask-1"], judged["dask-2"]
    shares = {
        "time of two workers, of one": two.wall_s / one.wall_s,
        "processor time on the longest path of two workers, of one": two.path_s / one.path_s,
    }
    limit = f"at most {MAX_SHARE_OF_TWO}"
    return [(what, f"{share:.2f}", limit, share <= MAX_SHARE_OF_TWO) for what, share in shares.items()]


def _demand_small_workers(judged: Mapping[str, Judged]) -> list[_Demanded]:
    peaks = [peak for one in judged.values() for peak in one.worker_peak_bytes]
    if not peaks:
        return []
    limit = f"below {format_bytes(MAX_WORKER_BYTES)}"
    return [("peak of a worker", format_bytes(max(peaks)), limit, max(peaks) < MAX_WORKER_BYTES)]


def _demand_leaks(work: str, found: FoundLeaks) -> list[_Demanded]:
    return [
        (f"planted leaks found, {work}", f"{found.found}", f"{found.planted}", found.found == found.planted),
        (f"others found in a day or more, {work}", f"{found.alarms}", "0", found.alarms == 0),
    ]


def _demand_growth(small: JudgedFleet, large: JudgedFleet) -> list[_Demanded]:
    rows = large.rows / small.rows
    demands = []
    for work in (work for work in small.judged if work.startswith("dask") and work in large.judged):
        before, after = small.judged[work], large.judged[work]
        grown = {"time": after.wall_s / before.wall_s, "processor time": after.path_s / before.path_s}
        for what, times in grown.items():
            title = f"{large.rows:,} samples: {what}, of {small.rows:,}, {work}"
            demands.append((title, f"{times:.1f} times", f"at most {rows:.1f} times", times <= rows))
    return demands


def _judge_fleet(plan: FleetPlan, *, bucket: bool, works: Sequence[str]) -> JudgedFleet:
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
        judged = _judge_all(place, works)
        _print_judged(title, judged)
        answers = {work: one.verdicts for work, one in judged.items() if one.verdicts is not None}
        _print_equality(place, answers)
        found = {
            work: hold_against_truth(verdicts, plan_services(plan))
            for work, verdicts in answers.items()
            if work != "latest"
        }
        for work, one in found.items():
            _print_found(work, one)
        if COMPACT in works and not bucket:
            _print_compaction(place)
    return JudgedFleet(rows=plan.rows, judged=judged, found=found)


def _judge_all(place: str, works: Sequence[str]) -> dict[str, Judged]:
    """Judge a ledger by each work, and print at once what it took, with the load that the machine then has."""
    judged: dict[str, Judged] = {}
    for work in works:
        if work == COMPACT:
            continue
        one = judge_apart(place, work)
        print(f"{work}: {one.wall_s:.1f} s, load of the machine {os.getloadavg()[0]:.1f}", flush=True)
        if work not in judged or one.wall_s < judged[work].wall_s:
            judged[work] = one
    return judged


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
            f"{one.start_s:.1f} s" if one.worker_peak_bytes else "-",
            f"{one.wall_s:.1f} s",
            f"{one.processor_s:.1f} s",
            ", ".join(f"{used:.1f} s" for used in one.worker_processor_s) or "-",
            f"{one.peak_bytes / MIB:.0f} MiB",
            ", ".join(f"{peak / MIB:.0f} MiB" for peak in one.worker_peak_bytes) or "-",
        ]
        for work, one in judged.items()
    ]
    header = ["by", "start of a cluster", "wall", "processor", "of each worker", "peak", "of each worker"]
    print_table(f"{title}: judged", header, rows)


def _print_equality(place: str, answers: Mapping[str, pd.DataFrame]) -> None:
    for work, verdicts in answers.items():
        if not work.startswith("dask"):
            continue
        names = sorted(verdicts["service"].dropna().unique())[::SUBSET]
        ours = verdicts["service"].isin(names)
        expected = assess(place, services=names)
        assert_frame_equal(verdicts[ours].reset_index(drop=True), expected, check_dtype=False)
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
