"""How long a reading stops the program, and what the sampler's own tables take, at a million live blocks."""

import resource
import threading
import time
from statistics import median

from benchmarks.measure import print_table
from memanalysis.capture import _sampler, sampler

__all__ = ["main"]

BLOCKS = 1_000_000
KIB = 1024
INTERVALS = {"512 KiB": 512 * KIB, "16 KiB": 16 * KIB, "64 bytes": 64}
"""The last one fills the tables."""

REPEATS = 15
STARTS = 1000


def main() -> None:
    """Print the pause at each interval, and the time of a thousand starts and stops among allocating threads."""
    rows = []
    for name, interval_bytes in INTERVALS.items():
        sampler.start(interval_bytes=interval_bytes)
        kept = [make(number % 50, number) for number in range(BLOCKS)]
        read_ms = [measure_ms(lambda: _sampler.read_table(False)) for _ in range(REPEATS)]
        all_ms = [measure_ms(sampler.read_live) for _ in range(REPEATS)]
        stats = sampler.read_stats()
        sampler.stop()
        assert len(kept) == BLOCKS
        rows.append(
            [
                name,
                f"{stats.interval_bytes / KIB:g} KiB",
                str(stats.n_live),
                str(stats.n_stacks),
                f"{median(read_ms):.2f} ms",
                f"{median(all_ms):.2f} ms",
                f"{stats.memory_bytes / KIB:.0f} KiB",
            ]
        )
    header = ["interval", "at the end", "samples", "stacks", "pause", "with Python's part", "tables"]
    print_table(f"Reading the live table at {BLOCKS:,} live blocks, in processor time", header, rows)
    print(f"{STARTS} starts and stops while four threads allocate: {start_and_stop():.1f} s of processor time\n")


def make(depth: int, number: int) -> str:
    """Make a block under a stack of its own depth."""
    return make(depth - 1, number) if depth else f"{number:060d}"


def measure_ms(call: object) -> float:
    """Milliseconds of processor time of one call."""
    started = time.thread_time()
    call()  # type: ignore[operator]
    return (time.thread_time() - started) * 1000


def start_and_stop() -> float:
    """Start and stop while threads allocate; ends if none of them is harmed."""
    ends = threading.Event()

    def allocate() -> None:
        kept: list[bytes] = []
        while not ends.is_set():
            kept = [*kept[-500:], *(bytes(200) for _ in range(100))]

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for number in range(STARTS):
        sampler.start(interval_bytes=4 ** (number % 8 + 1))
        sampler.read_live()
        sampler.stop()
    after = resource.getrusage(resource.RUSAGE_SELF)
    ends.set()
    for thread in threads:
        thread.join()
    return after.ru_utime - before.ru_utime


if __name__ == "__main__":
    main()
