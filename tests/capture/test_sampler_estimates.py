"""What is estimated from samples agrees with what tracemalloc counts, within the error that is given with it."""

import random
import statistics
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Callable

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler

pytestmark = needs_sampler

N_FUNCTIONS = 8
INTERVAL_BYTES = 16 * 1024
MAX_MEMORY_BYTES = 4 * 2**20


def generate_program(seed: int) -> Callable[[], list[object]]:
    """A program of several functions that each keep some blocks of their sizes and drop others."""
    random_source = random.Random(seed)  # noqa: S311
    lines = ["def program():", "    kept = []"]
    for _ in range(N_FUNCTIONS):
        count, size = random_source.randrange(50, 800), int(10 ** random_source.uniform(1, 4.5))
        expression = random_source.choice(["bytes({size})", "[None] * ({size} // 8 + 1)", "bytearray({size})"])
        every = random_source.randrange(1, 4)
        lines.append(
            f"    made = [{expression.format(size=size)} for _ in range({count})]; kept.append(made[::{every}])"
        )
    lines += ["    made = None", "    return kept"]
    names: dict[str, Callable[[], list[object]]] = {}
    exec(compile("\n".join(lines), f"<program {seed}>", "exec"), names)  # noqa: S102
    return names["program"]


def count_by_line(seed: int) -> dict[int, int]:
    program = generate_program(seed)
    tracemalloc.start(1)
    kept = program()
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    assert len(kept) == N_FUNCTIONS
    by_line: dict[int, int] = defaultdict(int)
    for trace in snapshot.traces:
        if trace.traceback[0].filename == f"<program {seed}>":
            by_line[trace.traceback[0].lineno] += trace.size
    return by_line


def estimate_by_line(seed: int, interval_bytes: int) -> dict[int, tuple[float, float]]:
    program = generate_program(seed)
    sampler.start(interval_bytes=interval_bytes, max_frames=1, seed=seed)
    kept = program()
    table = sampler.read_live()
    sampler.stop()
    assert len(kept) == N_FUNCTIONS
    return {
        site.frames[0][1]: (site.size_bytes, site.size_stderr_bytes)
        for site in table.sites
        if site.frames[0][0] == f"<program {seed}>"
    }


@pytest.mark.slow
def test_estimates_by_line_are_within_their_error_and_unbiased():
    """With 30 programs of 8 lines; of a thousand such lines, some three may be off by more than 3 standard errors."""
    errors, total_counted, total_estimated = [], 0.0, 0.0
    for seed in range(30):
        counted, estimated = count_by_line(seed), estimate_by_line(seed, INTERVAL_BYTES)
        for line, size in counted.items():
            size_estimate, stderr = estimated.get(line, (0.0, 0.0))
            total_counted += size
            total_estimated += size_estimate
            if size > 20 * INTERVAL_BYTES:  # with fewer samples the error is not normally distributed
                errors.append(abs(size_estimate - size) / max(stderr, size * 0.001))

    assert len(errors) > 80
    assert statistics.mean(error <= 3 for error in errors) >= 0.97
    assert total_estimated == pytest.approx(total_counted, rel=0.02)


def test_full_tables_raise_the_interval_and_the_estimates_stay_true():
    """200,000 blocks that would all be sampled: the interval doubles until 8,192 entries hold them."""
    sampler.start(interval_bytes=16, max_frames=4, seed=3)
    kept = [bytes(100) for _ in range(200_000)]
    table, stats = sampler.read_live(), sampler.read_stats()
    sampler.stop()
    true_size = sum(map(sys.getsizeof, kept)) + sys.getsizeof(kept)

    assert stats.times_raised > 2
    assert stats.interval_bytes == table.interval_bytes == 16 * 2**stats.times_raised
    assert stats.n_live <= 8_192
    assert stats.memory_bytes < MAX_MEMORY_BYTES
    assert table.size_stderr_bytes < 0.02 * true_size
    assert abs(table.size_bytes - true_size) < 4 * table.size_stderr_bytes
    assert sum(site.live_allocations for site in table.sites) == pytest.approx(len(kept), rel=0.05)


def test_the_highest_point_stays_true_when_the_interval_is_raised_after_it():
    sampler.start(interval_bytes=64, max_frames=4, seed=4)
    peak = [bytes(200) for _ in range(60_000)]
    true_peak = sum(map(sys.getsizeof, peak)) + sys.getsizeof(peak)
    while len(peak) > 6000:
        peak.pop()  # `del peak[6000:]` would copy the references first: a higher point
    true_live = sum(map(sys.getsizeof, peak)) + sys.getsizeof(peak)
    raised = sampler.read_stats().times_raised
    kept = [bytes(20) for _ in range(200_000)]
    at_peak = sampler.read_peak()
    stats = sampler.read_stats()
    sampler.stop()

    assert len(kept) == 200_000
    assert true_live + 200_000 * (53 + 8) < true_peak
    assert stats.times_raised > raised
    assert abs(at_peak.size_bytes - true_peak) < 4 * at_peak.size_stderr_bytes


@pytest.mark.slow
def test_code_that_is_compiled_again_and_again_does_not_fill_the_tables():
    """20,000 functions that never return: their stacks are dropped when no block has them, and their names go too."""
    sampler.start(interval_bytes=512, max_frames=4, seed=5)
    names: dict[str, Callable[[], object]] = {}
    for number in range(20_000):
        exec(f"def f_{number % 7}():\n{'' * number}    return bytes(1000)\nf_{number % 7}()", names)  # noqa: S102
    stats = sampler.read_stats()
    table = sampler.read_live()
    sampler.stop()

    assert stats.n_frames <= 12_288
    assert stats.memory_bytes < MAX_MEMORY_BYTES
    assert stats.times_raised == 0
    assert table.sites


def test_places_in_code_that_is_gone_are_let_go_at_the_next_check():
    """Each of 5,000 functions is compiled, called once and dropped; some 1,000 places may wait for a check."""
    sampler.start(interval_bytes=64, max_frames=4, seed=5)
    for number in range(5000):
        names: dict[str, Callable[[], object]] = {}
        exec(f"def f():\n{'' * number}    return bytes(1000)\nf()", names)  # noqa: S102
        if number % 100 == 0:
            sampler.check()
    n_frames = sampler.read_stats().n_frames
    sampler.stop()

    assert n_frames < 2500


def test_stop_releases_every_name_that_was_held():
    filename = "<a file name " + "that nobody else has>"
    names: dict[str, Callable[[], object]] = {}
    exec(compile("def f():\n    return [bytes(10000) for _ in range(100)]", filename, "exec"), names)  # noqa: S102
    code = names["f"].__code__
    before = sys.getrefcount(code.co_filename), sys.getrefcount(code.co_linetable), sys.getrefcount(code)
    sampler.start(interval_bytes=64)
    kept = names["f"]()
    during = sys.getrefcount(code.co_filename)
    sampler.stop()
    after = sys.getrefcount(code.co_filename), sys.getrefcount(code.co_linetable), sys.getrefcount(code)

    assert kept
    assert during > before[0]
    assert after == before


@pytest.mark.slow
def test_deeper_stacks_after_many_shallow_ones_have_their_own_space():
    """Each stack has space for as many frames as `start` was given: what one run laid out is not used by the next."""

    def recurse(depth: int, size: int) -> object:
        return recurse(depth - 1, size) if depth else bytes(size)

    names: dict[str, Callable[[], list[object]]] = {}
    lines = "\n".join(f"    kept.append(bytes({size}))" for size in range(1000, 13_000))
    exec(f"def many_stacks():\n    kept = []\n{lines}\n    return kept", names)  # noqa: S102
    sampler.start(interval_bytes=64, max_frames=1)
    shallow = names["many_stacks"]()
    assert sampler.read_stats().n_stacks > 5000
    sampler.stop()
    sampler.start(interval_bytes=64, max_frames=128)
    deep = [recurse(depth, 100_000) for depth in range(60)]  # a test runner has up to 60 frames of its own
    sites = [site for site in sampler.read_live().sites if site.size_bytes > 90_000]
    sampler.stop()

    assert len(shallow) == 12_000
    assert len(deep) == 60
    assert len({len(site.frames) for site in sites}) >= 54
