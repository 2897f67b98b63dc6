"""What capture costs: the site table, the fork, the tick, a watched service, the recorder's own memory, real programs.

Peers are measured in the same run. Wall-clock figures of a busy machine are said with its load, which the table of
benchmarks prints at the start.
"""

import gc
import http.client
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import programs
from benchmarks.measure import print_table
from memanalysis.capture import snapshot_sites
from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.recorder import watch
from memanalysis.watcher.run import make_run_row

__all__ = ["main"]

LIVE_BLOCKS = 1_000_000
FRAMES = 25
FORKS = 20
TICKS = 2_000
MEMORY_TICKS = 100_000
BUSY_S = 10.0
REQUESTS = 6_000
ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "tests" / "watcher" / "web_service.py"

Table = list[list[str]]


def main() -> None:
    """Measure and print."""
    rows = [*measure_site_table(), *measure_ticks(), *measure_one_hertz(), *measure_memory(), *measure_service()]
    print_table("Capture", ["what", "must reach", "here"], rows)
    programs.main()


def measure_site_table() -> Table:
    """A million live blocks under 25 frames: standard library, ours in the process, ours in a forked copy."""
    tracemalloc.start(FRAMES)
    try:
        kept = [_allocate(depth % 20, 1000) for depth in range(LIVE_BLOCKS * 3 // 4000)]
        bare = _least_cpu(tracemalloc.take_snapshot, repeats=3)
        ours = _least_cpu(snapshot_sites, repeats=3)
        standard = _least_cpu(lambda: tracemalloc.take_snapshot().statistics("traceback"), repeats=1)
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


def measure_service() -> Table:
    """Processor time a request of a FastAPI service that does not leak: plain, watched, plain, watched."""
    with tempfile.TemporaryDirectory() as folder:
        costs = {False: [], True: []}
        for number, watched in enumerate((False, True, False, True)):
            costs[watched].append(_serve(Path(folder) / str(number), watched=watched))
    plain, watched_s = min(costs[False]), min(costs[True])
    return [
        ["FastAPI service, processor time a request", "", f"{plain * 1e6:.0f} µs"],
        ["  watched, before growth is suspected", "1.05 x", f"{watched_s / plain:.3f} x"],
    ]


def _serve(folder: Path, *, watched: bool) -> float:
    folder.mkdir()
    port_file = folder / "port"
    arguments = [str(SERVICE), "sound", str(folder / "ledger") if watched else "-", str(port_file)]
    process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)})
    with process:
        try:
            while not port_file.exists():
                time.sleep(0.05)
            connection = http.client.HTTPConnection("127.0.0.1", int(port_file.read_text()), timeout=60)
            _ask(connection, "/items/{}", 500)
            before = _read_cpu(connection)
            _ask(connection, "/items/{}", REQUESTS)
            cost = (_read_cpu(connection) - before) / REQUESTS
            connection.close()
        finally:
            process.terminate()
    return cost


def _ask(connection: http.client.HTTPConnection, path: str, times: int) -> None:
    for number in range(times):
        connection.request("GET", path.format(number))
        connection.getresponse().read()


def _read_cpu(connection: http.client.HTTPConnection) -> float:
    connection.request("GET", "/cpu")
    return float(connection.getresponse().read().decode().split(":")[1].rstrip("}"))


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


def _least_cpu(call: Callable[[], Any], *, repeats: int) -> float:
    """Processor seconds of a call and of letting go of what it gave: the least of a few."""
    taken = []
    for _ in range(repeats):
        gc.collect()
        started = time.thread_time()
        result = call()
        del result
        taken.append(time.thread_time() - started)
    return min(taken)
