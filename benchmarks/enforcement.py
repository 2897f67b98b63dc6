"""What holding one reading against the budget costs at each tick, in processor time, and as a share of taking it.

As a watched run does it, at one tick a second: with a policy file that is checked each second, a ledger folder in
which claims, inboxes and undelivered alerts are, and an outbox that sends by its own thread, whose time counts too.
Limits only alert: a cleanup costs what it collects. No event is written: that is the ledger's cost.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from benchmarks.measure import print_table
from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.policy.policy_file import PolicyFile
from memanalysis.response.alerts.outbox import TAKE_OVER_INTERVAL_S, Outbox
from memanalysis.response.alerts.undelivered import UndeliveredFolder
from memanalysis.schema import SAMPLES, Row
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.policy_runtime import PolicyRuntime
from memanalysis.watcher.settings import UNDELIVERED_FOLDER

__all__ = ["ALLOWED_US", "READINGS_MB", "TickCost", "main", "measure_us"]

TICKS = 10_000
REPEATS = 7
ALLOWED_US = 20.0

POLICY = {
    "memory_budgets": {"services": {"api": "100MB"}},
    "leak_detection": {"enabled": False},
    "alerts": {"channels": ["logging", "messaging"]},
    "enforcement": {"soft_limits": {"action": "alert_only"}, "hard_limits": {"action": "alert_only"}},
}

READINGS_MB = {
    "well below the budget": (50.0,),
    "at the warning level": (85.0,),
    "at the critical level": (97.0,),
    "above the whole budget": (120.0,),
    "around the warning threshold": (79.9, 80.1),
    "through every level and back": (50.0, 85.0, 97.0, 120.0),
}
"""MB of a budget of 100 MB, one after the other."""


@dataclass(frozen=True, slots=True)
class TickCost:
    """Microseconds of processor time of one tick, over some repetitions of a run."""

    min_us: float
    median_us: float


class _TickClock:
    """A second a tick, so that what is done each second is done at each tick."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.clock = Clock(lambda: self.now_s, lambda: 1e9 + self.now_s)


def measure_us(readings_mb: Sequence[float]) -> TickCost:
    """Return what enforcement costs at each tick."""
    with tempfile.TemporaryDirectory() as folder:
        costs = [_measure_run_us(readings_mb, Path(folder) / str(number)) for number in range(REPEATS)]
    return TickCost(min(costs), median(costs))


def main() -> None:
    """Measure and print."""
    reader = SampleReader(clock=SYSTEM_CLOCK)
    sample_us = min(_cpu_us(lambda: [reader.read(deep=False) for _ in range(TICKS)]) for _ in range(3))
    reader.close()
    rows = []
    for name, readings_mb in READINGS_MB.items():
        cost = measure_us(readings_mb)
        shares = f"{cost.min_us / ALLOWED_US:.0%}", f"{cost.min_us / sample_us:.0%}"
        rows.append((name, f"{cost.min_us:.1f} us", f"{cost.median_us:.1f} us", *shares))
    header = ("enforcement of one tick", "min", "median", f"min of {ALLOWED_US:g} us", "of taking the sample")
    print_table("Enforcement, processor time", header, rows)


def _measure_run_us(readings_mb: Sequence[float], ledger: Path) -> float:
    ledger.mkdir()
    (ledger / "policy.yaml").write_text(json.dumps(POLICY), encoding="utf-8")
    file, ticking = PolicyFile(ledger / "policy.yaml", environment={}), _TickClock()
    undelivered = ledger / UNDELIVERED_FOLDER
    outbox = Outbox(folder=undelivered)
    runtime = PolicyRuntime("api", file.read(), clock=ticking.clock, file=file, outbox=outbox, ledger_folder=ledger)
    unknown = dict.fromkeys(SAMPLES)
    samples: list[Row] = [unknown | {"rss_bytes": round(mb * MIB)} for mb in readings_mb]
    ticks = list(islice(cycle(samples), TICKS))

    def hold() -> None:
        for number, sample in enumerate(ticks):
            ticking.now_s += 1.0
            runtime.on_sample(sample, _ignore)
            if number % TAKE_OVER_INTERVAL_S == 0:  # the outbox itself counts real seconds
                UndeliveredFolder(undelivered).take_abandoned(outbox.channels, at_start=False)

    quiet = logging.NullHandler()  # alerts are made, and shown nowhere
    logging.getLogger("memanalysis").addHandler(quiet)
    try:
        runtime.begin(_ignore, LiveRun())
        return _cpu_us(hold)
    finally:
        runtime.alerts.end()
        logging.getLogger("memanalysis").removeHandler(quiet)


def _cpu_us(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) / TICKS * 1e6


def _ignore(kind: str, **columns: object) -> None:
    """Write no event: writing one is the ledger's cost."""
