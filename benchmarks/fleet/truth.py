"""Hold the verdicts on a simulated fleet against what was planted in it."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from benchmarks.fleet.plan import DAY_S, PlannedRun

__all__ = ["FoundLeaks", "hold_against_truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLeaks:
    """Of a fleet the services with a planted leak and how many of them were found, and what else was called a leak.

    Parameters
    ----------
    planted, found, named : int
        Services in which a leak was planted, in which one was found, and in which a verdict names the planted line.
    runs : int
        All runs.
    alarms, short_alarms : int
        Runs without a planted leak that were called one, of a day or more and shorter: memory that follows the day
        rises in the run of a morning, and nothing in that run shows that it falls again.
    """

    planted: int
    found: int
    named: int
    runs: int
    alarms: int
    short_alarms: int


def hold_against_truth(verdicts: pd.DataFrame, services: Iterable[list[PlannedRun]]) -> FoundLeaks:
    """Compare verdicts with the runs that `plan_services` gives."""
    runs = {run.run_id: run for planned in services for run in planned}
    found, named, alarms = set(), set(), {True: 0, False: 0}
    for row in verdicts[verdicts["is_leak"].astype(bool)].to_dict("records"):
        run = runs[row["run_id"]]
        if run.leak is None:
            alarms[run.recorded_until - run.started >= DAY_S] += 1
            continue
        found.add(run.service)
        if (row["responsible_file"], row["responsible_line"]) == (run.leak.file, run.leak.line):
            named.add(run.service)
    return FoundLeaks(
        planted=len({run.service for run in runs.values() if run.leak is not None}),
        found=len(found),
        named=len(named),
        runs=len(runs),
        alarms=alarms[True],
        short_alarms=alarms[False],
    )
