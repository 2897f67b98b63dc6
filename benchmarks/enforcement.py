"""What holding one reading against the budget costs at each tick, in processor time, and as a share of taking it."""

import itertools
import time
from collections.abc import Callable, Iterable
from statistics import median

from benchmarks.measure import print_table
from memanalysis.capture.sample import SYSTEM_CLOCK, SampleReader
from memanalysis.policy.model import parse_policy
from memanalysis.schema import SAMPLES, Row
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.policy_runtime import PolicyRuntime

__all__ = ["main", "measure_us"]

TICKS = 20_000
REPEATS = 5
ALLOWED_US = 20.0

READINGS_MB = {
    "well below the budget": (50.0,),
    "at the warning level": (85.0,),
    "critical, in the grace period": (97.0,),
    "above the whole budget": (120.0,),
    "around the warning threshold": (79.9, 80.1),
    "through every level and back": (50.0, 85.0, 97.0, 120.0),
}
"""MB of a budget of 100 MB, one after the other."""


def measure_us(readings_mb: Iterable[float]) -> float:
    """Return the microseconds of processor time of one tick's enforcement, without the log of an alert."""
    policy = {"memory_budgets": {"services": {"api": "100MB"}}, "leak_detection": {"enabled": False}}
    rules = parse_policy(policy | {"alerts": {"channels": []}, "enforcement": {"grace_period_seconds": 1e6}})
    runtime = PolicyRuntime("api", rules, clock=SYSTEM_CLOCK)
    runtime.begin(_ignore, LiveRun())
    unknown = dict.fromkeys(SAMPLES)
    samples: list[Row] = [unknown | {"rss_bytes": round(mb * MIB)} for mb in readings_mb]
    ticks = list(itertools.islice(itertools.cycle(samples), TICKS))
    return min(_cpu_us(lambda: [runtime.on_sample(sample, _ignore) for sample in ticks]) for _ in range(REPEATS))


def main() -> None:
    """Measure and print."""
    reader = SampleReader(clock=SYSTEM_CLOCK)
    sample_us = median(_cpu_us(lambda: [reader.read(deep=False) for _ in range(TICKS)]) for _ in range(3))
    reader.close()
    rows = []
    for name, readings_mb in READINGS_MB.items():
        cost_us = measure_us(readings_mb)
        rows.append((name, f"{cost_us:.1f} us", f"{cost_us / ALLOWED_US:.0%}", f"{cost_us / sample_us:.0%}"))
    header = ("enforcement of one tick", "processor time", f"of {ALLOWED_US:g} us", "of taking the sample")
    print_table("Enforcement", header, rows)


def _cpu_us(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) / TICKS * 1e6


def _ignore(kind: str, **columns: object) -> None:
    """Write no event: writing one is the ledger's cost."""
