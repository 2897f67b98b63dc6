"""Code with a memory budget is interrupted, whatever it does, and what was changed for it is put back."""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from memanalysis import MemoryBudgetExceeded, budget
from memanalysis.capture.process import ProcessReader
from memanalysis.errors import InvalidArgumentError
from memanalysis.watcher import address_limit
from memanalysis.watcher.budget_guard import BudgetInterrupt, GuardedBlock, guard

pytestmark = pytest.mark.slow

MIB = 2**20
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the system does not limit private memory")


@pytest.fixture(autouse=True)
def _no_library_that_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process have loaded some."""
    monkeypatch.setattr(address_limit, "ABORTING_LIBRARIES", frozenset())


def level(more_bytes: int = 100 * MIB) -> int:
    """A budget so far above what this process holds now."""
    gc.collect()
    with ProcessReader() as reader:
        return (reader.read_rss_bytes() or 0) + more_bytes


@pytest.fixture(autouse=True)
def unchanged_process() -> Iterator[None]:
    handler, limit, threads = signal.getsignal(signal.SIGINT), read_limit(), threading.active_count()
    yield
    assert signal.getsignal(signal.SIGINT) is handler
    assert read_limit() == limit
    assert threading.active_count() == threads


def read_limit() -> Any:
    resource = pytest.importorskip("resource")
    return resource.getrlimit(resource.RLIMIT_DATA)


def append_arrays() -> None:
    rows = []
    while True:
        rows.append(np.ones(1_250_000))


def append_lists() -> None:
    rows = []
    while True:
        rows.append([bytes(100_000)])


def fill_dict() -> None:
    table = {}
    number = 0
    while True:
        number += 1
        table[number] = str(number) * 100


def append_and_catch() -> None:
    rows: list[Any] = []
    while True:
        with contextlib.suppress(Exception):
            rows.append(np.ones(1_250_000))


@pytest.mark.parametrize("grow", [append_arrays, fill_dict, append_and_catch])
def test_code_that_grows_for_ever_is_interrupted_near_its_budget(grow: Callable[[], None]) -> None:
    limit = level()
    with pytest.raises(MemoryBudgetExceeded) as caught, budget(limit):
        grow()

    assert caught.value.limit_bytes == limit
    assert caught.value.rss_bytes is not None
    assert caught.value.rss_bytes <= 1.1 * limit
    assert "test_budget_block.py:" in str(caught.value)


def test_a_callback_of_the_garbage_collector_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised in one is printed by Python, and the code goes on."""
    cut: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", cut.append)

    def note(phase: str, info: dict[str, int]) -> None:
        end = time.perf_counter() + 0.03
        while time.perf_counter() < end:
            pass

    gc.callbacks.append(note)
    try:
        for _ in range(3):
            with pytest.raises(MemoryBudgetExceeded), budget(level(40 * MIB)):
                append_lists()
    finally:
        gc.callbacks.remove(note)

    assert cut == []


def test_the_error_has_the_line_and_the_variables_that_hold_the_most() -> None:
    text = r"over its memory budget of .*: `rows\.append\(np\.ones"
    with pytest.raises(MemoryBudgetExceeded, match=text) as caught, budget(level()):
        append_arrays()

    assert "`rows` (list) " in str(caught.value)


@LINUX
def test_one_huge_allocation_is_refused_before_it_is_made() -> None:
    with pytest.raises(MemoryBudgetExceeded, match="refused before it was made") as caught, budget(level()):
        np.ones(100 * 10**9 // 8)

    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value.__cause__, MemoryError)


@LINUX
def test_a_refusal_names_the_variables_that_hold_the_most_too() -> None:
    rows: list[object] = [bytearray(b"x") * (30 * MIB)]
    with pytest.raises(MemoryBudgetExceeded, match="refused before it was made") as caught, budget(level()):
        rows.append(np.ones(100 * 10**9 // 8))

    assert "Most is held by `rows` (list) 30" in str(caught.value)


def test_code_within_its_budget_is_left_alone_and_gives_its_result() -> None:
    @budget(10**13)
    def add(first: int, second: int) -> int:
        return first + second

    @budget(10**13)
    async def wait_and_add(first: int, second: int) -> int:
        await asyncio.sleep(0)
        return first + second

    assert add(1, 2) == 3
    assert asyncio.run(wait_and_add(1, 2)) == 3
    with pytest.raises(ZeroDivisionError), budget(10**13):
        _ = 1 / 0


def test_a_decorated_function_and_a_coroutine_are_interrupted() -> None:
    limit = level()

    @budget(limit)
    async def grow() -> None:
        await asyncio.sleep(0)
        append_arrays()

    with pytest.raises(MemoryBudgetExceeded):
        budget(limit)(append_arrays)()
    with pytest.raises(MemoryBudgetExceeded):
        asyncio.run(grow())


def test_of_nested_budgets_the_lowest_ends_its_own_block() -> None:
    with budget(level(10**12)), pytest.raises(MemoryBudgetExceeded), budget(level()):
        append_arrays()
    low = level()
    with pytest.raises(MemoryBudgetExceeded) as caught, budget(low), budget(level(10**12)):
        append_arrays()
    assert caught.value.limit_bytes == low


def test_in_another_thread_its_own_block_is_interrupted() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with budget(level()):
                append_arrays()
        except MemoryBudgetExceeded as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_a_block_that_waits_for_a_thread_that_grows_is_interrupted_while_it_waits() -> None:
    stop = threading.Event()
    rows: list[Any] = []

    def grow() -> None:
        while not stop.wait(0.005):  # slowly: else the system refuses it memory before the guard sees the growth
            rows.append(np.ones(125_000))

    thread = threading.Thread(target=grow)
    try:
        thread.start()
        with pytest.raises(MemoryBudgetExceeded), budget(level()):
            stop.wait(60)
        assert not stop.is_set()
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("limit", [0, -1, "0 MB", "many", "", True, 1.5, None])
def test_a_budget_needs_a_size_above_zero(limit: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"size|Size"):
        budget(limit)


def test_a_budget_below_what_the_process_holds_is_refused_at_the_beginning() -> None:
    ran = False
    with pytest.raises(MemoryBudgetExceeded, match="before the block begins"), budget("1 MiB"):
        ran = True
    assert not ran


@pytest.fixture
def python_handles_control_c() -> Iterator[None]:
    """As in a terminal, also where the tests themselves run behind ``&`` in a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_control_c")
def test_control_c_still_comes_through() -> None:
    with pytest.raises(KeyboardInterrupt), budget(10**13):
        signal.raise_signal(signal.SIGINT)


@LINUX
def test_children_have_the_limit_of_before() -> None:
    before = str(read_limit())
    ask = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA))"
    with budget(level()):
        assert str(read_limit()) != before
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, str(read_limit()).encode())
            os._exit(0)
        os.waitpid(child, 0)
    assert done.stdout.strip() == before
    assert os.read(reader, 100).decode() == before
    os.close(reader)
    os.close(writer)


TRACED_AFTERWARDS = """
import sys, threading, time
from memanalysis import MemoryBudgetExceeded, budget
from memanalysis.capture.process import ProcessReader

def grow():
    limit = ProcessReader().read_rss_bytes() + (16 << 20)
    rows = []
    try:
        with budget(limit):
            while True:
                rows.append(bytes(100_000) + b"1")
                time.sleep(0.0005)  # slowly: else the system refuses it memory before the guard sees the growth
    except MemoryBudgetExceeded:
        print("exceeded", flush=True)

thread = threading.Thread(target=grow)
thread.start()
thread.join()
calls = []
sys.settrace(lambda frame, event, _: calls.append(frame.f_code.co_name))
(lambda: None)()
sys.settrace(None)
print(calls)
"""


def test_a_debugger_can_trace_the_program_after_a_thread_was_interrupted() -> None:
    """On CPython 3.11 an asynchronous exception that is only taken back makes the next traced call go on for ever."""
    done = subprocess.run([sys.executable, "-c", TRACED_AFTERWARDS], capture_output=True, text=True, timeout=60)

    assert done.stdout == "exceeded\n['<lambda>']\n", done.stderr


def test_code_is_not_interrupted_while_it_is_described_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A description that takes long, by code without a file such as that of dataclasses, is made once and whole."""
    monkeypatch.setattr(address_limit.AddressLimit, "follow", lambda *_, **__: None)  # no allocation is refused instead
    begun, space = [], {"time": time}
    source = "def wait():\n    end = time.perf_counter() + 0.2\n    while time.perf_counter() < end: pass\n"
    exec(source, space)  # noqa: S102  the test's own

    def describe(frame: Any, rss_bytes: int | None) -> str:
        begun.append(frame.f_code.co_name)
        space["wait"]()
        return "it is over"

    block = GuardedBlock(level(), is_running=lambda frame: True, describe=describe)
    guard.add(block)
    try:
        with pytest.raises(BudgetInterrupt):
            fill_dict()
    finally:
        guard.remove(block)

    assert begun == ["fill_dict"]
    assert str(block.error) == "it is over"


def test_a_description_whose_end_was_cut_leaves_other_budgets_as_they_are() -> None:
    """Ctrl-C may come at the very end of one, which then never reports its end: it ends with its block."""
    with contextlib.ExitStack() as never_closed_in_time:

        def append_lists_after_an_inner_block() -> None:
            inner = GuardedBlock(level(), is_running=lambda frame: False, describe=lambda frame, rss_bytes: "")
            guard.add(inner)
            never_closed_in_time.enter_context(guard.describing(inner))
            guard.remove(inner)
            append_lists()

        for _ in range(2):
            with pytest.raises(MemoryBudgetExceeded), budget(level()):
                append_lists_after_an_inner_block()


WITHOUT_CONTROL_C = """
import gc, signal, subprocess, sys, time
from memanalysis import MemoryBudgetExceeded, budget
from memanalysis.capture.process import ProcessReader

def note(phase, info):
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass

gc.callbacks.append(note)
ask = "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
for _ in range(3):
    rows = {}
    try:
        with budget(ProcessReader().read_rss_bytes() + (40 << 20)):
            print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.strip())
            while True:
                rows[len(rows)] = str(len(rows)) * 100
    except MemoryBudgetExceeded as exc:
        print("rows" in str(exc), "-c" in str(exc) or "<string>:" in str(exc))
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN, signal.getsignal(signal.SIGURG) == signal.SIG_DFL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of Unix")
def test_where_control_c_is_ignored_it_stays_so_and_the_budget_holds() -> None:
    """As behind ``&`` in a script, under ``nohup``, and in services."""
    command = ["/bin/sh", "-c", 'trap \'\' INT; exec "$0" "$@"', sys.executable, "-c", WITHOUT_CONTROL_C]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert done.stdout.split("\n") == [*["True", "True True"] * 3, "True True", ""], done.stderr


DECORATED = """
from memanalysis import MemoryBudgetExceeded, budget
from memanalysis.capture.process import ProcessReader
from memanalysis.watcher import address_limit

address_limit.AddressLimit.follow = lambda *_, **__: None  # no allocation is refused instead

@budget(ProcessReader().read_rss_bytes() + (40 << 20))
def grow():
    rows = []
    for _ in range(3_000):
        rows.append(bytes(100_000) + b"1")

try:
    grow()
except MemoryBudgetExceeded as exc:
    print(exc.rss_bytes > exc.limit_bytes)
"""


def test_a_decorated_function_of_a_program_without_a_file_is_interrupted() -> None:
    done = subprocess.run([sys.executable, "-c", DECORATED], capture_output=True, text=True, timeout=100)

    assert done.stdout == "True\n", done.stderr
