"""A call is repeated until it is decided whether it leaks: real callables, real tracing."""

import asyncio
import collections
import ctypes
import functools
import gc
import itertools
import mmap
import random
import re
import sys
import tracemalloc
from array import array
from collections.abc import Callable

import pytest

import memanalysis
from benchmarks.detection.callables import make_leak
from memanalysis import LeakFoundError, find_leak
from memanalysis.errors import InvalidArgumentError

pytestmark = pytest.mark.slow

SEED = 20260101
KEPT: list[object] = []


class Session:
    """A type of the program's own."""

    def __init__(self) -> None:
        self.data = bytes(200)


def seeded(number: int) -> random.Random:
    return random.Random(SEED + number)  # noqa: S311  not for secrets


def keep_a_session() -> None:
    KEPT.append(Session())


@pytest.fixture(autouse=True)
def lets_go():
    collects = gc.isenabled()
    yield
    KEPT.clear()
    if collects:
        gc.enable()


def test_a_leak_is_found_with_its_line_type_container_and_holder():
    """A session has 233 bytes of data, 56 of its own, some of its attributes, and 8 in the list."""
    finding = find_leak(keep_a_session, max_calls=400)

    assert finding.is_leak is True
    assert (finding.shape, finding.origin, finding.name) == ("growing", "python", "keep_a_session")
    assert finding.bytes_per_call is not None
    assert 280 < finding.bytes_per_call < 500
    assert finding.low <= finding.bytes_per_call <= finding.high
    assert finding.sites[0].function in {"Session.__init__", "keep_a_session"}
    assert all(site.file == __file__ for site in finding.sites)
    assert all(frame[0] == __file__ for site in finding.sites for frame in site.traceback)
    assert finding.types[0].type.endswith("test_find_leak.Session")
    assert finding.types[0].objects_per_call == 1
    assert finding.containers[0].entries_per_call == 1
    assert ".KEPT -> list" in finding.containers[0].text
    assert ".KEPT -> list -> " in finding.holders[0].text


def test_a_pure_call_is_no_leak_and_is_reported_soon():
    finding = find_leak(lambda: sorted(range(100)))

    assert finding.is_leak is False
    assert finding.calls < 50_000
    assert (finding.sites, finding.types, finding.holders, finding.missing) == ((), (), (), None)


def test_memory_that_a_call_maps_itself_is_found():
    """No allocator knows of it: two pages each."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    taken: array[int] = array("Q")

    def leak() -> None:
        taken.append(libc.mmap(None, 8_192, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0))
        libc.memset(taken[-1], 1, 8_192)

    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    finding = find_leak(leak, max_s=30)
    for address in taken:
        libc.munmap(address, 8_192)

    assert (finding.is_leak, finding.origin) == (True, "native")
    assert 8_000 < finding.resident_bytes_per_call == finding.bytes_per_call < 8_600
    assert 0 < finding.traced_bytes_per_call < 100
    assert re.search(r"\), resident 8\.\d KiB and traced \d+(\.\d)? B a call; it rose", finding.sentence)


def test_a_leak_at_one_call_of_a_hundred_is_found():
    finding = find_leak(make_leak("dict", 1_000, 100, seeded(3)).call, max_calls=30_000)

    assert finding.is_leak is True
    assert 5 < finding.bytes_per_call < 20


def test_eight_bytes_a_call_in_a_list_are_found():
    """The list takes memory in jumps of an eighth, so the level is a staircase."""
    finding = find_leak(lambda: KEPT.append(None), max_calls=5_000)

    assert finding.is_leak is True
    assert 7 < finding.bytes_per_call < 10


def test_a_cycle_leaks_only_where_nobody_collects():
    case = make_leak("cycle", 1_000, 1, seeded(4))

    assert find_leak(case.call, max_calls=20_000, max_s=60).is_leak is False
    assert find_leak(case.call, max_calls=400, collect=False).is_leak is True


def test_a_cache_that_still_fills_is_not_decided_and_is_named():
    numbers = itertools.count()
    cached = functools.lru_cache(maxsize=100_000)(lambda key: str(key) * 10)

    finding = find_leak(lambda: cached(next(numbers)), max_calls=2_000)

    assert finding.is_leak is None
    assert "lru_cache" in finding.missing
    assert finding.missing.endswith("entries more")
    assert finding.sentence.startswith("Not decided yet: needs more calls: ")


def test_a_cache_that_is_full_is_no_leak():
    numbers = itertools.count()
    cached = functools.lru_cache(maxsize=300)(lambda key: str(key) * 10)

    assert find_leak(lambda: cached(next(numbers))).is_leak is False


def test_a_leak_beside_a_cache_that_fills_is_found():
    numbers = itertools.count()
    window: collections.deque[bytes] = collections.deque(maxlen=100_000)

    def call() -> None:
        window.append(bytes(100))
        KEPT.append(next(numbers) * 10.0)

    assert find_leak(call, max_calls=2_000).is_leak is True


def test_growth_below_the_least_is_no_leak():
    finding = find_leak(keep_a_session, min_bytes_per_call=10_000, max_calls=2_000)

    assert finding.is_leak is False
    assert 280 < finding.bytes_per_call < 500


def test_arguments_and_setup_are_passed_on():
    ready = []

    def call(count: int, *, unit: bytes) -> None:
        assert ready == ["once"]
        KEPT.append(unit * count)

    finding = find_leak(call, args=[100], kwargs={"unit": b"ab"}, setup=lambda: ready.append("once"), max_calls=200)

    assert finding.is_leak is True


def test_a_coroutine_function_is_awaited():
    async def call() -> None:
        await asyncio.sleep(0)
        KEPT.append(bytes(1_000))

    assert find_leak(call, max_calls=200).is_leak is True


def test_a_coroutine_inside_a_running_loop_is_an_error_with_a_cure():
    async def call() -> None: ...

    async def main() -> None:
        find_leak(call)

    with pytest.raises(InvalidArgumentError, match=r"await asyncio\.to_thread\(memanalysis\.find_leak, function\)"):
        asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 50])
def test_what_the_call_raises_passes_through_and_tracing_ends(error: type[BaseException], at: int):
    numbers = itertools.count(1)

    def call() -> None:
        if next(numbers) == at:
            raise error("stop")

    with pytest.raises(error, match="stop"):
        find_leak(call)
    assert not tracemalloc.is_tracing()
    assert gc.get_freeze_count() == 0


def test_tracing_that_runs_is_joined_and_left_running():
    tracemalloc.start(3)
    try:
        finding = find_leak(keep_a_session, max_calls=200)
        assert tracemalloc.is_tracing()
        assert tracemalloc.get_traceback_limit() == 3
    finally:
        tracemalloc.stop()
    assert finding.is_leak is True
    assert finding.sites[0].file == __file__


def test_raise_for_leak_raises_an_assertion_error_with_the_whole_text():
    finding = find_leak(keep_a_session, max_calls=200)

    with pytest.raises(LeakFoundError) as raised:
        finding.raise_for_leak()
    assert isinstance(raised.value, AssertionError)
    assert str(raised.value) == str(finding)


def test_raise_for_leak_gives_the_finding_back_where_there_is_none():
    finding = find_leak(int, max_calls=2_000)

    assert finding.raise_for_leak() is finding


def keep_amid_garbage() -> None:
    ring: list[object] = [bytes(20_000), KEPT.append(bytes(1_000))]  # type: ignore[func-returns-value]
    ring.append(ring)


def test_garbage_of_the_line_that_keeps_hides_nothing_of_what_it_keeps():
    """A ring of 20 kB is garbage that waits to be collected, beside 1,000 bytes that are kept, from one line."""
    (site, *_) = find_leak(keep_amid_garbage, max_calls=200).sites

    assert site.function == "keep_amid_garbage"
    assert site.bytes_per_call == pytest.approx(sys.getsizeof(bytes(1_000)), rel=0.1)


def test_our_own_objects_are_not_listed():
    """Types, containers and lines of a native leak with a little of Python: only the program's."""
    finding = find_leak(keep_a_session, max_calls=400)

    assert {row.type.rsplit(".", 1)[-1] for row in finding.types} <= {"Session", "dict"}
    assert len(finding.containers) == 1
    assert "memanalysis" not in "".join(row.text for row in finding.containers)
    assert "memanalysis" not in "".join(chain.text for chain in finding.holders).replace("memanalysis.tests", "")


def keep_by_six_lines() -> None:
    keep_a_session()
    keep_a_session()
    keep_a_session()
    keep_a_session()
    keep_a_session()
    keep_a_session()


def test_what_lines_are_named_with_is_no_type_that_grows():
    """Tracebacks are tuples, and the garbage collector follows some tuples."""
    finding = find_leak(keep_by_six_lines, max_calls=400)

    assert len(finding.sites) > 5
    assert [row.type.rsplit(".", 1)[-1] for row in finding.types] == ["Session"]


@pytest.mark.parametrize("most", [16, 200])
def test_no_more_calls_are_made_than_are_allowed_also_for_naming_the_line(most: int):
    numbers = itertools.count(1)
    made = 0

    def call() -> None:
        nonlocal made
        made = next(numbers)
        KEPT.append(bytes(1_000))

    finding = find_leak(call, max_calls=most)

    assert made == finding.calls <= most


def test_few_calls_tell_nothing():
    finding = find_leak(keep_a_session, max_calls=16)

    assert finding.is_leak is None
    assert finding.missing


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"call": 3}, "find_leak needs a callable, but got int. Pass the function itself, or a lambda."),
        ({"max_calls": 5}, "find_leak needs max_calls of at least 16, but got 5. Pass more."),
        ({"frames": 0}, "find_leak needs frames of at least 1, but got 0. Pass more."),
        ({"max_s": 0}, "find_leak needs max_s above 0, but got 0. Pass more."),
        (
            {"min_bytes_per_call": float("nan")},
            "find_leak needs min_bytes_per_call above 0, but got nan. Pass more.",
        ),
    ],
)
def test_bad_arguments_are_reported(arguments: dict[str, object], text: str):
    with pytest.raises(InvalidArgumentError) as raised:
        find_leak(**{"call": int, **arguments})
    assert str(raised.value) == text


def test_native_memory_is_read_where_the_system_tells_it():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    leak: Callable[[], object] = functools.partial(libc.malloc, 100)

    finding = find_leak(leak, max_calls=3_000)

    assert (finding.is_leak, finding.origin, finding.sites) == (True, "native", ())
    assert 100 <= finding.bytes_per_call <= 120
    assert "native memory" in finding.sentence


def test_what_the_program_set_aside_stays_aside():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        assert find_leak(int, max_calls=2_000).is_leak is False
        assert gc.get_freeze_count() > before // 2 > 0  # some of them die by themselves
    finally:
        gc.unfreeze()


def test_find_leak_is_offered_by_the_package():
    assert memanalysis.find_leak is find_leak


def test_a_cache_that_was_full_only_at_the_end_is_not_decided():
    """The calls that look for caches fill it."""
    rows = collections.deque(maxlen=4000)
    finding = find_leak(lambda: rows.append(bytes(300)), max_calls=3000, max_s=30, holders=False)

    assert finding.is_leak is None
    assert "was still filling" in finding.sentence


def test_the_event_loop_that_was_set_stays_set():
    async def nothing() -> None:
        pass

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        find_leak(nothing, max_calls=16)
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
