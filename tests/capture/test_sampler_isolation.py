"""The watched process goes on as without the sampler: threads, forks, other hooks, other interpreters, its end."""

import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import permutations

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler

BLOCK_BYTES = 16 * 2**20
"""32 sampling intervals: such a block is sampled for sure, and what is small beside it hardly ever."""

pytestmark = needs_sampler


@pytest.fixture(autouse=True)
def stops() -> Iterator[None]:
    yield
    sampler.stop()
    tracemalloc.stop()


def make_block(size: int = BLOCK_BYTES) -> bytes:
    return bytes(size)


def sum_blocks() -> float:
    return sum(site.size_bytes for site in sampler.read_live().sites if "make_block" in site.functions)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_forked_child_goes_on_with_what_was_live():
    sampler.start()
    kept = [make_block()]
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        kept.append(make_block())
        os.write(writes, f"{sum_blocks():.0f}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    in_child = int(os.read(reads, 100))
    os.close(reads)
    os.close(writes)

    assert in_child == pytest.approx(2 * BLOCK_BYTES, abs=200)
    assert sum_blocks() == pytest.approx(BLOCK_BYTES, abs=100)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_children_that_are_forked_while_threads_allocate_go_on():
    sampler.start(interval_bytes=64)
    ends = threading.Event()

    def allocate() -> None:
        while not ends.is_set():
            [bytes(100) for _ in range(100)]

    threads = [threading.Thread(target=allocate) for _ in range(3)]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(30):
        child = os.fork()
        if child == 0:
            [bytes(100) for _ in range(1000)]
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    ends.set()
    for thread in threads:
        thread.join()

    assert codes == [0] * 30


def test_it_starts_and_stops_while_threads_allocate():
    ends = threading.Event()
    made = []

    def allocate() -> None:
        kept: list[bytes] = []
        while not ends.is_set():
            kept.extend(bytes(200) for _ in range(100))
            del kept[:90]
            kept = kept[-1000:]
        made.append(len(kept))

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        assert sampler.start(interval_bytes=4 ** (number % 8 + 1))
        if number % 3 == 0:
            sampler.read_live()
        assert sampler.stop()
    ends.set()
    for thread in threads:
        thread.join()

    assert len(made) == 4


def test_of_threads_that_start_at_once_one_is_the_first_and_none_fails():
    """Threads switch as often as Python can."""
    answers: list[bool] = []
    errors: list[Exception] = []

    def start_and_stop() -> None:
        try:
            for _ in range(500):
                answers.append(sampler.start(interval_bytes=4096))
                sampler.stop()
        except Exception as exc:  # it would end the thread unseen
            errors.append(exc)

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=start_and_stop) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)
        sampler.stop()

    assert errors == []
    assert len(answers) == 2000
    assert any(answers)


ORDERS = [
    order
    for order in permutations(["sampler on", "sampler off", "tracemalloc on", "tracemalloc off"])
    if order.index("sampler on") < order.index("sampler off")
    and order.index("tracemalloc on") < order.index("tracemalloc off")
]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_tracemalloc_and_the_sampler_start_and_stop_in_any_order(order: tuple[str, ...]):
    steps: dict[str, Callable[[], object]] = {
        "sampler on": lambda: sampler.start(),
        "sampler off": sampler.stop,
        "tracemalloc on": tracemalloc.start,
        "tracemalloc off": tracemalloc.stop,
    }
    kept = []
    seen = 0
    for step in order:
        steps[step]()
        if step == "sampler on":
            seen = 0
        if sampler.is_running():
            was_cut_off = not sampler.check()
            assert was_cut_off is (step == "tracemalloc off" and order[0] == "tracemalloc on")
            seen = 1 if was_cut_off else seen + 1
        kept.append(make_block())
        if sampler.is_running():
            assert sum_blocks() == pytest.approx(seen * BLOCK_BYTES, rel=0.1)
        if tracemalloc.is_tracing():
            kept.append(make_block(100))  # large ones go on to the domain RAW, which is not hooked here
            assert tracemalloc.get_object_traceback(kept[-1]) is not None
    del kept
    assert make_block()  # with whatever is still hooked


def test_after_all_hooks_are_gone_it_starts_as_ever():
    """The sampler's hook stays below that of tracemalloc, is put back on top by its stop, and is used again."""
    sampler.start()
    tracemalloc.start()
    sampler.stop()
    tracemalloc.stop()
    for _ in range(3):
        sampler.start()
        kept = make_block()
        assert sum_blocks() == pytest.approx(len(kept), abs=100)
        sampler.stop()


CHURN = """
from memanalysis.capture import sampler
import gc, threading
sampler.start(interval_bytes=256)
class Node:
    def __init__(self): self.me = self; self.text = "x" * 300
    def __del__(self): Node.last = [bytes(500) for _ in range(10)]
def work():
    for _ in range(300):
        nodes = [Node() for _ in range(10)]
        text = "".join(str(n) for n in range(200))
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
gc.collect()
assert sampler.read_live().size_bytes > 0
kept = [Node() for _ in range(1000)]
print("whole")
"""


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug", "malloc_debug"])
def test_a_program_ends_as_ever_while_it_is_sampled(allocator: str):
    done = run(CHURN, PYTHONMALLOC=allocator)

    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")


INTERPRETERS = """
import threading
from memanalysis.capture import sampler
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
sampler.start(interval_bytes=256)
code = "kept = []\\nfor n in range(20000): kept.append(str(n) * 10); kept = kept[-500:]"
def use():
    for _ in range(3):
        number = interpreters.create()
        interpreters.run_string(number, code)
        interpreters.destroy(number)
threads = [threading.Thread(target=use) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(20): sampler.read_live(); kept = [bytes(1000) for _ in range(1000)]
[thread.join() for thread in threads]
number = interpreters.create()
interpreters.run_string(number, "def elsewhere(): return [str(n) * 10 for n in range(20000)]\\nkept = elsewhere()")
assert not [site for site in sampler.read_live().sites if "elsewhere" in site.functions]
interpreters.destroy(number)
number = interpreters.create()
refused = '''
try:
    import memanalysis.capture._sampler
except ImportError as exc:
    print(type(exc).__name__)
'''
interpreters.run_string(number, refused)
interpreters.destroy(number)
print("whole")
"""


def test_other_interpreters_run_at_the_same_time_and_are_left_alone():
    done = run(INTERPRETERS)

    assert (done.returncode, done.stdout.split()) == (0, ["ImportError", "whole"]), done.stderr
