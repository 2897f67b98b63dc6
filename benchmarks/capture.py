"""What capture costs: the site table, the fork, the tick, a watched service, the recorder's own memory.

Peers are measured in the same run. Wall-clock figures of a busy machine are given with its load, which the table of
benchmarks prints at the start.
"""

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import print_table
from benchmarks.service import measure_service
from memanalysis.capture import snapshot_sites
from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.run_row import make_run_row
from memanalysis.watcher.watch import watch

__all__ = ["main"]

LIVE_BLOCKS = 1_000_000
FRAMES = 25
FORKS = 20
TICKS = 2_000
MEMORY_TICKS = 100_000
BUSY_S = 10.0

Table = list[list[str]]


def main() -> None:
    """Measure and print."""
    rows = [*measure_site_table(), *measure_ticks(), *measure_one_hertz(), *measure_memory(), *measure_service()]
    print_table("Capture", ["what", "must reach", "here"], rows)


def measure_site_table() -> Table:
    """A million live blocks under 25 frames: standard library, ours in the process, ours in a forked copy."""
    tracemalloc.start(FRAMES)
    try:
        kept = [_allocate(depth % 20, 1000) for depth in range(LIVE_BLOCKS * 3 // 4000)]
        bare = _min_cpu(tracemalloc.take_snapshot, repeats=3)
        ours = _min_cpu(snapshot_sites, repeats=3)
        standard = _min_cpu(lambda: tracemalloc.take_snapshot().statistics("traceback"), repeats=1)
        started = time.perf_counter()
        snapshot_sites()
        in_process = time.perf_counter() - started
        copies = [snapshot_sites(fork=True) for _ in range(FORKS)]
        pauses = sorted(copy.pause_s for copy in copies)
        forked = sum(copy.forked for copy in copies)
        del kept
    finally:
        tracemalloc.stop()
    p95 = pauses[round(0.95 * (FORKS - 1))]
    return [
        ["take_snapshot().statistics('traceback'), 1,000,000 blocks, 25 frames", "", f"{standard:.2f} s"],
        ["bare take_snapshot(), let go of again", "", f"{bare:.2f} s"],
        ["site table in the process", "", f"{ours:.2f} s"],
        ["  faster than the standard library", "15 x", f"{standard / ours:.1f} x"],
        ["  beside the bare snapshot", "1.5 x", f"{ours / bare:.2f} x"],
        [f"stop for the fork, p95 of {forked} (median)", "20 ms", f"{p95 * 1e3:.1f} ms ({median(pauses) * 1e3:.1f})"],
        ["  part of the in-process stop", "1/30", f"1/{in_process / p95:.0f}"],
    ]


def measure_ticks() -> Table:
    """One cheap tick: reading, judging and writing its line."""
    with tempfile.TemporaryDirectory() as folder:
        observer = _make_observer(Path(folder), SYSTEM_CLOCK)
        observer.tick()
        taken = []
        for _ in range(TICKS):
            started = time.perf_counter()
            observer.tick()
            taken.append(time.perf_counter() - started)
        observer.close(seal=False)
    taken.sort()
    return [
        ["cheap tick, median (p95)", "50 µs", f"{median(taken) * 1e6:.0f} µs ({taken[int(0.95 * TICKS)] * 1e6:.0f})"]
    ]


def measure_one_hertz() -> Table:
    """Processor time of watching at 1 Hz beside the time that goes by: the most by which a program can be slower."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = watch("bench", ledger=folder, seal=False)
        recorder.start()
        before, started = time.process_time(), time.perf_counter()
        time.sleep(BUSY_S)
        share = (time.process_time() - before) / (time.perf_counter() - started)
        recorder.stop()
    return [["watching at 1 Hz", "1.01 x", f"{1 + share:.4f} x"]]


def measure_memory() -> Table:
    """Growth of resident memory over 100,000 ticks, by a clock that goes a second a tick."""
    now = [0.0]
    clock = Clock(monotonic=lambda: now[0], wall=lambda: 1_700_000_000.0 + now[0])
    with tempfile.TemporaryDirectory() as folder:
        observer = _make_observer(Path(folder), clock)

        def tick(times: int) -> None:
            for _ in range(times):
                now[0] += 1.0
                observer.tick()

        tick(1_000)
        gc.collect()
        reader = SampleReader()
        before = reader.read()["rss_bytes"]
        tick(MEMORY_TICKS)
        gc.collect()
        grown = reader.read()["rss_bytes"] - before
        reader.close()
        observer.close(seal=False)
    return [["the recorder's own memory over 100,000 ticks", "2 MB", f"{grown / 2**20:+.2f} MB"]]


def _make_observer(folder: Path, clock: Clock) -> Observer:
    settings = watch("bench", ledger=folder, snapshot_interval=10_000).settings
    run = make_run_row("bench", started=clock.wall())
    observer = Observer(settings, run=run, reader=SampleReader(clock=clock), clock=clock, wait=lambda _: True)
    observer.begin()
    return observer


def _allocate(depth: int, count: int) -> list[Any]:
    if depth:
        return _allocate(depth - 1, count)
    return [bytes(40) if i % 3 else [i] for i in range(count)]


def _min_cpu(call: Callable[[], Any], *, repeats: int) -> float:
    """Processor seconds of a call and of letting go of what it gave: the least of a few."""
    taken = []
    for _ in range(repeats):
        gc.collect()
        started = time.thread_time()
        result = call()
        del result
        taken.append(time.thread_time() - started)
    return min(taken)
