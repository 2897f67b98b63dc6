"""A sampled table names who holds what, large blocks exactly, until they are freed, and at the highest point."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.sampler import SampledSite, SampledTable
from memanalysis.capture.sites import make_rows
from memanalysis.errors import CaptureError, InvalidArgumentError

BLOCK_BYTES = 16 * 2**20
"""32 sampling intervals: such a block is sampled for sure, and what is small beside it hardly ever."""


@pytest.fixture
def running() -> Iterator[None]:
    """The interval is the default one: blocks of 16 MiB are all sampled, and so known exactly."""
    sampler.start(max_frames=16)
    yield
    sampler.stop()


def make_blocks(count: int, size: int) -> list[bytes]:
    return [bytes(size) for _ in repeat(None, count)]  # no numbers: millions would come and go at one address


def find_sites(table: SampledTable, function: str) -> list[SampledSite]:
    return [site for site in table.sites if function in site.functions]


def sum_bytes(table: SampledTable, function: str) -> float:
    return sum(site.size_bytes for site in find_sites(table, function))


@needs_sampler
def test_it_runs_between_start_and_stop_and_a_second_call_of_either_says_that_it_did_nothing():
    assert not sampler.is_running()
    assert sampler.start() is True
    assert sampler.start() is False
    assert sampler.is_running()
    assert sampler.stop() is True
    assert sampler.stop() is False
    assert not sampler.is_running()


@needs_sampler
@pytest.mark.usefixtures("running")
def test_large_blocks_are_known_exactly_with_their_stack():
    kept = make_blocks(3, BLOCK_BYTES)
    (site,) = find_sites(sampler.read_live(), "make_blocks")

    assert site.size_bytes == pytest.approx(sum(map(sys.getsizeof, kept)), abs=1)
    assert site.live_allocations == pytest.approx(3)
    assert site.size_stderr_bytes < 100
    line = make_blocks.__code__.co_firstlineno + 1
    assert site.frames[site.functions.index("make_blocks")] == (__file__, line)
    caller = site.functions[site.functions.index("make_blocks") + 1]
    assert caller == "test_large_blocks_are_known_exactly_with_their_stack"


@needs_sampler
@pytest.mark.usefixtures("running")
def test_freed_blocks_are_gone():
    kept = make_blocks(4, BLOCK_BYTES)
    del kept[1:]

    assert sum_bytes(sampler.read_live(), "make_blocks") == pytest.approx(BLOCK_BYTES, abs=100)
    kept.clear()
    assert find_sites(sampler.read_live(), "make_blocks") == []


@needs_sampler
@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("size", [3 * BLOCK_BYTES, BLOCK_BYTES // 4], ids=["grows", "shrinks"])
def test_a_block_that_is_resized_counts_once_with_its_new_size(size: int):
    def resize(block: bytearray) -> None:
        block[size:] = bytes(max(0, size - len(block)))

    block = bytearray(BLOCK_BYTES)
    resize(block)

    table = sampler.read_live()
    assert table.size_bytes == pytest.approx(size, rel=0.2)
    assert max(table.sites, key=lambda site: site.size_bytes).live_allocations == pytest.approx(1, rel=0.001)


@needs_sampler
@pytest.mark.usefixtures("running")
def test_a_block_that_could_not_be_resized_is_still_known():
    block = bytearray(BLOCK_BYTES)
    with pytest.raises(MemoryError):
        block *= 2**28  # 4 PiB, more than any address space here
    (site,) = [site for site in sampler.read_live().sites if site.size_bytes > BLOCK_BYTES / 2]

    assert site.size_bytes == pytest.approx(BLOCK_BYTES, abs=100)
    del block
    assert [site for site in sampler.read_live().sites if site.size_bytes > BLOCK_BYTES / 2] == []


@needs_sampler
def test_a_stack_is_cut_to_its_innermost_frames():
    def recurse(depth: int) -> bytes:
        return recurse(depth - 1) if depth else bytes(BLOCK_BYTES)

    sampler.start(max_frames=3)
    kept = recurse(10)
    (site,) = [site for site in sampler.read_live().sites if site.size_bytes > BLOCK_BYTES / 2]
    sampler.stop()

    assert len(kept) == BLOCK_BYTES
    assert len(site.frames) == len(site.functions) == 3
    assert len(set(site.functions)) == 1


@needs_sampler
@pytest.mark.usefixtures("running")
def test_generators_comprehensions_and_compiled_text_have_their_own_frames():
    def generate() -> Iterator[bytes]:
        yield bytes(BLOCK_BYTES)

    names: dict[str, object] = {}
    exec(compile("def made_from_text():\n\n    return bytes(2**24)", "<text>", "exec"), names)  # noqa: S102
    kept = [*generate(), names["made_from_text"]()]  # type: ignore[operator]
    table = sampler.read_live()

    assert len(kept) == 2
    (generated,) = [site for site in table.sites if site.functions[0].endswith("generate")]
    assert generated.frames[0] == (__file__, generate.__code__.co_firstlineno + 1)
    (compiled,) = find_sites(table, "made_from_text")
    assert compiled.frames[0] == ("<text>", 3)


@needs_sampler
def test_stacks_are_those_of_tracemalloc():
    """With one sample a byte all blocks are sampled. A generator is made before its own frame has begun."""

    def generate(free: list[int]) -> Iterator[list[int]]:
        yield free

    class Counted:
        def __init__(self) -> None:
            self.numbers = tuple(range(300))

    def make() -> list[object]:
        cell = [1]
        made: list[object] = [generate(cell)]
        made.append(lambda: cell)
        made.append(Counted())
        made.append({number: number for number in range(50)})
        made.append("".join(str(number) for number in range(200)))
        made.append(bytes(next(generate(cell))))
        return made

    sampler.start(interval_bytes=1, max_frames=12)
    tracemalloc.start(12)
    made = make()
    tracebacks = [tracemalloc.get_object_traceback(item) for item in made]
    traced = {tuple((f.filename, f.lineno) for f in reversed(tb)) for tb in tracebacks if tb is not None}
    sampled = {site.frames for site in sampler.read_live().sites}
    tracemalloc.stop()
    sampler.stop()

    assert len(traced) >= 3
    assert traced <= sampled


@needs_sampler
def test_frees_of_other_blocks_are_not_looked_up():
    sampler.start(interval_bytes=4096)
    for _ in range(200):
        make_blocks(500, 100)
    raw = sampler._sampler.stats()
    sampler.stop()

    assert raw["sampled"] > 1000
    assert raw["lookups"] < 3 * raw["sampled"]


@needs_sampler
def test_frees_of_other_blocks_are_seldom_looked_up_where_the_table_is_full():
    """64 MB of blocks are held, a sample in 1 KiB would be 65,000. Of 400,000 frees next to nothing is looked up."""
    sampler.start(interval_bytes=1024)
    kept = make_blocks(16_000, 4000)
    before = sampler._sampler.stats()
    for _ in range(40):
        make_blocks(10_000, 100)
    after = sampler._sampler.stats()
    sampler.stop()

    assert len(kept) == 16_000
    assert after["interval_raised"] > 2
    own = after["sampled"] - before["sampled"]
    assert after["lookups"] - before["lookups"] < 3 * own + 40_000


@needs_sampler
@pytest.mark.usefixtures("running")
def test_the_highest_point_is_what_was_live_then_and_not_what_is_live_now():
    def first() -> list[bytes]:
        return make_blocks(20, BLOCK_BYTES)

    def second() -> list[bytes]:
        return make_blocks(5, BLOCK_BYTES)

    before = make_blocks(2, BLOCK_BYTES)
    sampler.mark_peak()
    peak = first()
    del peak[:15]
    later = second()
    at_peak, now = sampler.read_peak(), sampler.read_live()
    names = {name for site in at_peak.sites for name in site.functions}

    assert len(before) + len(later) == 7
    assert at_peak.size_bytes == pytest.approx(22 * BLOCK_BYTES, rel=0.02)
    assert not [name for name in names if name.endswith("second")]
    assert now.size_bytes == pytest.approx(12 * BLOCK_BYTES, rel=0.02)


@needs_sampler
@pytest.mark.usefixtures("running")
def test_a_mark_forgets_what_was_highest_before():
    peak = make_blocks(20, BLOCK_BYTES)
    peak.clear()
    sampler.mark_peak()
    kept = make_blocks(3, BLOCK_BYTES)

    assert len(kept) == 3
    assert sampler.read_peak().size_bytes == pytest.approx(3 * BLOCK_BYTES, rel=0.05)


@needs_sampler
@pytest.mark.usefixtures("running")
def test_sites_become_rows_of_the_ledger():
    kept = make_blocks(3, BLOCK_BYTES)
    rows = make_rows(sampler.read_live().groups())
    line = make_blocks.__code__.co_firstlineno + 1
    (row,) = [row for row in rows if [__file__, line, "make_blocks"] in row["traceback"]]

    assert row["traceback"][-1][:2] == [row["file"], row["line"]]
    assert row["size_bytes"] == sum(map(sys.getsizeof, kept))
    assert row["live_allocations"] == 3


@needs_sampler
def test_the_same_seed_samples_the_same_blocks():
    tables = []
    for _ in range(3):  # the first warms caches up
        sampler.start(interval_bytes=4096, seed=7)
        kept = make_blocks(2000, 100)
        tables.append([(site.size_bytes, site.live_allocations) for site in sampler.read_live().sites])
        sampler.stop()
        assert len(kept) == 2000

    assert tables[1] == tables[2]


REFUSED_MEMORY = """
import _testcapi
from memanalysis.capture import _sampler, sampler

_testcapi.set_nomemory(10**9, 0)  # below the sampler's hooks: it refuses what is counted from the next call on
sampler.start(interval_bytes=65_536, seed=7)
kept, letter = [], b"x"
for _ in range(20_000):
    _testcapi.set_nomemory(0, 1)
    try:
        letter * 8_000
    except MemoryError:
        pass
    _testcapi.set_nomemory(10**9, 0)
    kept.append(letter * 1_000)
print(sum(site.size_bytes for site in sampler.read_live().sites) / sum(map(len, kept)))
check, refuse = _sampler.check, _testcapi.set_nomemory
refuse(0, 1)
try:
    check()
except MemoryError:
    pass
kept.clear()
"""


@needs_sampler
@pytest.mark.slow
def test_memory_that_is_refused_is_not_counted():
    """Of 20 MB about 315 blocks are hit, so the estimate has a standard error of 6 %."""
    pytest.importorskip("_testcapi")
    done = subprocess.run([sys.executable, "-c", REFUSED_MEMORY], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr  # a probe that was refused had made a hook call itself
    assert float(done.stdout) == pytest.approx(1, abs=0.25)


def test_reading_without_running_says_what_to_do():
    with pytest.raises(CaptureError) as error:
        sampler.read_live()

    assert str(error.value) == ("The allocation sampler does not run, so it has no sites. Call sampler.start() first.")
    assert sampler.check() is False


@needs_sampler
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"interval_bytes": 0},
            "start needs interval_bytes of 1 to 10**12, but got 0. Leave it out for 524288.",
        ),
        ({"max_frames": 129}, "start needs max_frames of 1 to 128, but got 129. Leave it out for 32."),
    ],
)
def test_a_parameter_out_of_range_is_named(arguments: dict[str, int], message: str):
    with pytest.raises(InvalidArgumentError) as error:
        sampler.start(**arguments)

    assert str(error.value) == message


def test_without_the_compiled_module_the_reason_is_given():
    code = (
        "import sys; sys.modules['memanalysis.capture._sampler'] = None\n"
        "from memanalysis.capture import sampler\n"
        "print(sampler.why_unavailable()); print(sampler.is_running(), sampler.stop(), sampler.check())\n"
        "try:\n    sampler.start()\nexcept RuntimeError as exc:\n    print(type(exc).__name__, str(exc)[:38])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    reason, states, error = done.stdout.splitlines()

    assert reason.startswith("it was not compiled, which needs a C compiler and Python's headers (python3-dev)")
    assert states == "False False False"
    assert error == "CaptureError The allocation sampler cannot start: i"
