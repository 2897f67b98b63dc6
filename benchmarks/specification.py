"""Our figures beside those that the specification states, and beside the plain way in the same run.

Times are processor time, but for saving, which waits for the disk. A snapshot counts the objects of the process, and a
full detection collects and counts them too: both grow with the program.
"""

import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.enforcement import ALLOWED_US, READINGS_MB, measure_us
from benchmarks.measure import median_processor_seconds, median_seconds, print_table, processor_seconds_of
from memanalysis import (
    ComprehensiveLeakDetector,
    LedgerEntry,
    MemoryLeakDetector,
    MemoryLedger,
    MemorySnapshot,
    TracemallocIntegration,
)
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.policy.enforcer import check_budget
from memanalysis.policy.loader import find_default_path, read_policy
from memanalysis.units import MIB

ENTRIES = 10_000
LIVE_BLOCKS = 50_000
TURNS = 3
ITERATIONS = {"watched": 20_000, "traced": 1_000}
ROOT = Path(__file__).parents[1]

TRACED_PROGRAM = """
import json, sys, time
mode, folder, iterations = sys.argv[1:]

def work(n):
    nested = [{"k": i, "v": i / 3} for i in range(40)]
    order = json.loads(json.dumps({"id": n, "tags": [str(n + i) for i in range(40)], "nested": nested}))
    return sum(item["v"] for item in order["nested"])

if mode == "watched":
    from memanalysis import watch
    watch("traced", ledger=folder, seal=False).start()
elif mode == "traced":
    from memanalysis import TracemallocIntegration
    TracemallocIntegration(trace_limit=25).start()
started = time.process_time()
for n in range(int(iterations)):
    work(n)
print(time.process_time() - started)
"""


def main() -> None:
    """Measure and print."""
    first_snapshot, later_snapshot, standard_snapshot, counting = measure_snapshot()
    saving, whole_saving, plain, whole_size = measure_ledger()
    sealed = measure_sealed()
    detector, comprehensive, collecting = measure_detection()
    loading, checking = measure_policy()
    watched_share, traced_share = measure_tracing()
    enforcement_us = max(measure_us(readings_mb).min_us for readings_mb in READINGS_MB.values())
    rows = [
        ["snapshot, 50,000 live blocks: ten in a row", "10 ms", *ours(later_snapshot, 0.010)],
        ["  the first, which groups all lines", "10 ms", *ours(first_snapshot, 0.010)],
        ["  take_snapshot().statistics() in the same run", "-", milliseconds(standard_snapshot), ""],
        [f"  counting its {len(gc.get_objects()):,} objects, in each", "-", milliseconds(counting), ""],
        ["detection on 10 snapshots", "50 ms", *ours(detector, 0.050)],
        ["  with objects, trend and cleanup", "50 ms", *ours(comprehensive, 0.050)],
        ["  collecting garbage, in each", "-", milliseconds(collecting), ""],
        ["save of 10,000 entries, one of them new", "100 ms", *ours(saving, 0.100)],
        ["  the whole array in the same run", "-", milliseconds(whole_saving), ""],
        ["1,000 entries, ledger directory (Parquet)", "100 KB", f"{sealed / 1000:.1f} KB", f"{100_000 / sealed:.0f} x"],
        ["1,000 entries, the JSON array", "100 KB", f"{plain / 1000:.1f} KB", f"{100_000 / plain:.1f} x"],
        ["  the names of its seven fields alone", "-", f"{measure_names() / 1000:.1f} KB", ""],
        ["  the whole array in the same run", "-", f"{whole_size / 1000:.1f} KB", ""],
        ["tracing a busy program, watched", "10 to 20 %", f"{watched_share:+.1%}", ""],
        ["  with tracemalloc of 25 frames in the same run", "-", f"{traced_share:+.1%}", ""],
        ["policy file: read and checked whole", "-", milliseconds(loading), ""],
        ["  one reading held against it", "-", f"{1e6 * checking:.1f} us", ""],
        ["enforcement of a tick, the slowest", f"{ALLOWED_US:g} us", *microseconds(enforcement_us)],
    ]
    print_table("Beside the specification", ["what", "it states", "here", "better by"], rows)


def measure_snapshot() -> tuple[float, float, float, float]:
    """Seconds of the first snapshot, of ten in a row on average, of the standard library's, and of counting objects."""
    integration = TracemallocIntegration(trace_limit=25)
    integration.start()
    try:
        held = [[i, str(i)] for i in range(LIVE_BLOCKS // 3)]
        taken = [processor_seconds_of(integration.take_snapshot) for _ in range(10)]
        counting_s = median_processor_seconds(gc.get_objects, repeats=10)
        standard_s = median_processor_seconds(lambda: tracemalloc.take_snapshot().statistics("traceback"), repeats=3)
        del held
    finally:
        integration.stop()
    return taken[0], sum(taken) / len(taken), standard_s, counting_s


def measure_detection() -> tuple[float, float, float]:
    """Seconds of the leak detector, of the comprehensive one on ten snapshots that grow, and of collecting garbage."""
    detector, comprehensive = MemoryLeakDetector({}), ComprehensiveLeakDetector({})
    for i in range(10):
        snapshot = MemorySnapshot(timestamp=1e9 + 60 * i, current_mb=100 + 5.0 * i, peak_mb=150.0, object_count=50_000)
        detector.add_snapshot(snapshot)
        comprehensive.add_snapshot(snapshot)
    detector_s = median_processor_seconds(detector.detect_leak, repeats=50)
    comprehensive_s = median_processor_seconds(comprehensive.run_full_detection, repeats=10)
    return detector_s, comprehensive_s, median_processor_seconds(gc.collect, repeats=10)


def measure_policy() -> tuple[float, float]:
    """Seconds of reading the shipped policy with all its checks, and of holding one reading against it."""
    path = find_default_path()
    policy = read_policy(path)
    readings_mb = range(1000)
    checking_s = processor_seconds_of(lambda: [check_budget(policy, "messaging", mb) for mb in readings_mb])
    return median_processor_seconds(lambda: read_policy(path), repeats=10), checking_s / len(readings_mb)


def measure_names() -> int:
    """Bytes of 1,000 entries without their values: the names that the format prescribes, and what is between them."""
    return 1000 * len(
        json.dumps(dict.fromkeys(make_entries(1)[0].to_dict()), separators=(",", ":")).replace("null", "")
    )


def measure_ledger() -> tuple[float, float, int, int]:
    """Seconds of a save and of saving the whole array, then bytes of 1,000 entries, each way."""
    entries = make_entries(ENTRIES)
    with tempfile.TemporaryDirectory() as folder:
        ledger = MemoryLedger(Path(folder) / "ours.json", max_entries=ENTRIES)
        for entry in entries:
            ledger.add_entry(entry)
        array = Path(folder) / "array.json"
        saving = median_seconds(saver(ledger), repeats=7)
        whole_saving = median_seconds(lambda: save_as_a_whole(array, entries), repeats=7)
        small = MemoryLedger(Path(folder) / "small.json")
        for entry in entries[:1000]:
            small.add_entry(entry)
        small.save()
        text = (Path(folder) / "small.json").read_bytes()
        save_as_a_whole(array, entries[:1000])
        return saving, whole_saving, len(text), array.stat().st_size


def measure_sealed() -> float:
    """Bytes of 1,000 entries with the seven fields in a sealed ledger directory, of 10,000 that were written."""
    with tempfile.TemporaryDirectory() as folder:
        writer = LedgerWriter(folder, run={"run_id": "bench", "service": "messaging"})
        first = float(make_entries(1)[0].timestamp)
        rows = [
            {
                "seq": seq,
                "timestamp": float(entry.timestamp),
                "elapsed_s": float(entry.timestamp) - first,
                "traced_bytes": round((entry.memory_usage_mb or 0) * MIB),
                "object_count": entry.object_count,
                "allocation_count": entry.allocation_count,
                "deallocation_count": entry.deallocation_count,
                "gc_collections": entry.gc_collections,
            }
            for seq, entry in enumerate(make_entries(ENTRIES))
        ]
        writer.append("samples", rows)
        writer.close()
        sealed = sum(path.stat().st_size for path in Path(folder, "samples").rglob("*.parquet"))
        return sealed / ENTRIES * 1000


def measure_tracing() -> tuple[float, float]:
    """Processor time above that of the plain program, as a share: watched with the defaults, and traced as a whole."""
    watched, traced = (
        median(run_traced(mode, count) / run_traced("plain", count) for _ in range(TURNS)) - 1
        for mode, count in ITERATIONS.items()
    )
    return watched, traced


def run_traced(mode: str, iterations: int) -> float:
    """Processor seconds of the same work in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", TRACED_PROGRAM, mode, f"{folder}/ledger", str(iterations)],
            check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        return float(done.stdout)


def saver(ledger: MemoryLedger) -> Callable[[], Any]:
    """Record one entry and save the whole."""

    def record_and_save() -> None:
        ledger.record("messaging", 123.4, 56_789)
        ledger.save()

    return record_and_save


def save_as_a_whole(path: Path, entries: list[LedgerEntry]) -> None:
    """Write an indented JSON array again."""
    path.write_text(json.dumps([asdict(entry) for entry in entries], indent=2), encoding="utf-8")


def make_entries(count: int) -> list[LedgerEntry]:
    """Entries as a service of ordinary size would record them."""
    rng = random.Random(1)
    return [
        LedgerEntry(
            timestamp=1.7e9 + 60.123 * i,
            service_name="messaging",
            memory_usage_mb=100 + rng.random(),
            object_count=50_000 + rng.randrange(1000),
            allocation_count=rng.randrange(100_000),
            deallocation_count=rng.randrange(100_000),
            gc_collections=i,
        )
        for i in range(count)
    ]


def milliseconds(seconds: float) -> str:
    """Render a time."""
    return f"{seconds * 1000:.2f} ms"


def microseconds(us: float) -> tuple[str, str]:
    """Render what enforcement takes, and how many times better it is than what is allowed."""
    return f"{us:.1f} us", f"{ALLOWED_US / us:.1f} x"


def ours(seconds: float, whole_seconds: float) -> tuple[str, str]:
    """Render our time, and how many times better it is."""
    return milliseconds(seconds), f"{whole_seconds / seconds:.0f} x"
