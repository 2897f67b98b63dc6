"""How true is a sample? Bytes by line in 200 generated programs, each run once traced in full and once sampled.

Two things must hold: a line's estimate is within three of its standard errors in at least 95 % of the lines, and over
all programs nothing is lost or added. Lines of fewer than 20 intervals count in the second only: with so few samples an
error is not normally distributed.
"""

import random
import statistics
import tracemalloc
from collections import defaultdict
from collections.abc import Callable

from benchmarks.measure import print_table
from memanalysis.capture import sampler

__all__ = ["main"]

PROGRAMS = 200
LINES = 8
INTERVALS = {"16 KiB": 16 * 1024, "64 KiB": 64 * 1024, "512 KiB": 512 * 1024}
MAKERS = (
    "bytes({size})",
    "[None] * ({size} // 8 + 1)",
    "bytearray({size})",
    "dict.fromkeys(range({size} // 100 + 1))",
    "'x' * {size} + str(i)",
)


def main() -> None:
    """Print, by interval, the share of lines within their error and the error over all."""
    counted = [count(seed) for seed in range(PROGRAMS)]
    rows = []
    for name, interval_bytes in INTERVALS.items():
        errors, total, estimated = [], 0.0, 0.0
        for seed, by_line in enumerate(counted):
            sampled = estimate(seed, interval_bytes)
            for line, size in by_line.items():
                size_estimate, stderr = sampled.get(line, (0.0, 0.0))
                total += size
                estimated += size_estimate
                if size >= 20 * interval_bytes:
                    errors.append((size_estimate - size) / max(stderr, 0.001 * size))
        within = statistics.mean(abs(error) <= 3 for error in errors)
        spread = statistics.stdev(errors)
        rows.append([name, str(len(errors)), f"{within:.1%}", f"{spread:.2f}", f"{estimated / total - 1:+.2%}"])
    header = ["interval", "lines", "within 3 stderr", "stdev of error / stderr", "bias over all lines"]
    print_table(f"Bytes by line against tracemalloc in {PROGRAMS} generated programs", header, rows)


def generate(seed: int) -> Callable[[], list[object]]:
    """Make a program whose lines each keep blocks of random number and size, and drop others."""
    source = random.Random(seed)
    lines = ["def program():", "    kept = []"]
    for _ in range(LINES):
        number, size = source.randrange(50, 2000), int(10 ** source.uniform(1, 4))
        maker = source.choice(MAKERS).format(size=size)
        step = source.randrange(1, 4)
        lines.append(f"    made = [{maker} for i in range({number})]; kept.append(made[::{step}])")
    lines += ["    made = None", "    return kept"]
    names: dict[str, Callable[[], list[object]]] = {}
    exec(compile("\n".join(lines), f"<program {seed}>", "exec"), names)  # noqa: S102
    return names["program"]


def count(seed: int) -> dict[int, int]:
    """Bytes by line as tracemalloc has them."""
    program = generate(seed)
    tracemalloc.start(1)
    kept = program()
    traces = tracemalloc.take_snapshot().traces
    tracemalloc.stop()
    assert len(kept) == LINES
    by_line: dict[int, int] = defaultdict(int)
    for trace in traces:
        if trace.traceback[0].filename == f"<program {seed}>":
            by_line[trace.traceback[0].lineno] += trace.size
    return by_line


def estimate(seed: int, interval_bytes: int) -> dict[int, tuple[float, float]]:
    """Bytes by line and their standard error as the sampler has them."""
    program = generate(seed)
    sampler.start(interval_bytes=interval_bytes, max_frames=1, seed=seed)
    kept = program()
    table = sampler.read_live()
    sampler.stop()
    assert len(kept) == LINES
    return {
        site.frames[0][1]: (site.size_bytes, site.size_stderr_bytes)
        for site in table.sites
        if site.frames[0][0] == f"<program {seed}>"
    }


if __name__ == "__main__":
    main()
