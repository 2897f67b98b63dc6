"""Threads, asyncio, forks, gevent and the end of the interpreter, with tracing windows open."""

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from memanalysis.ledger.reading.ledger import open_ledger

pytestmark = pytest.mark.slow

LEAK = """
import os, sys, time, tracemalloc
from memanalysis import watch
kept = []
def leak():
    kept.append(bytearray(20_000))
more = {"max_overhead": 1.0, "top_types": 0, "seal": False, "trace": "windows"}
recorder = watch("api", ledger="ledger", interval=0.02, **more)
def windows():
    return recorder._observer._windows.n_windows
"""


def test_threads_that_leak_are_traced_and_end_undisturbed(run_program, tmp_path):
    done = run_program(
        LEAK + "import threading\n"
        "def work():\n"
        "    while windows() < 3 and time.monotonic() < until:\n"
        "        leak(); time.sleep(0.001)\n"
        "until = time.monotonic() + 60\n"
        "with recorder:\n"
        "    threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "print(recorder.status().errors, recorder.status().last_error, tracemalloc.is_tracing())\n"
    )

    assert (done.stdout, done.stderr) == ("0 None False\n", "")
    assert set(open_ledger(tmp_path / "ledger").sites["function"]) >= {"leak"}


def test_an_event_loop_goes_on_while_a_window_is_open(run_program, tmp_path):
    done = run_program(
        LEAK + "import asyncio\n"
        "async def main():\n"
        "    until = time.monotonic() + 60\n"
        "    while windows() < 3 and time.monotonic() < until:\n"
        "        leak(); await asyncio.sleep(0.001)\n"
        "with recorder:\n"
        "    asyncio.run(main(), debug=True)\n"
        "print(recorder.status().errors, recorder.status().last_error, tracemalloc.is_tracing())\n"
    )

    assert done.stdout == "0 None False\n"
    assert "suspect" in set(open_ledger(tmp_path / "ledger").events["kind"])


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_a_program_that_gevent_patched_is_watched(run_program, tmp_path):
    patch = "from gevent import monkey; monkey.patch_all()\n"
    work = (
        "import gevent\n"
        "def work():\n"
        "    until = time.monotonic() + 60\n"
        "    while windows() < 3 and time.monotonic() < until:\n"
        "        leak(); gevent.sleep(0.001)\n"
        "recorder.start()\n"
        "gevent.joinall([gevent.spawn(work) for _ in range(3)])\n"
        "recorder.stop()\n"
        "print(recorder.status().errors, recorder.status().last_error, tracemalloc.is_tracing())\n"
    )
    patched_before = patch + LEAK.replace('"ledger"', '"before"') + work
    patched_after = LEAK.replace('"ledger"', '"after"') + "recorder.start()\n" + patch + work

    with ThreadPoolExecutor(2) as pool:  # beside each other: most of the time they wait
        runs = list(pool.map(run_program, [patched_before, patched_after], ["before.py", "after.py"]))

    assert [done.stdout for done in runs] == ["0 None False\n"] * 2, [done.stderr for done in runs]
    assert "Traceback" not in "".join(done.stderr for done in runs)
    for name in ("before", "after"):
        assert "suspect" in set(open_ledger(tmp_path / name).events["kind"])


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
def test_a_child_forked_while_a_window_is_open_is_not_traced(run_program):
    done = run_program(
        LEAK + "recorder.start()\n"
        "until = time.monotonic() + 60\n"
        "while not tracemalloc.is_tracing() and time.monotonic() < until:\n"
        "    leak(); time.sleep(0.001)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(int(tracemalloc.is_tracing()))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "recorder.stop()\n"
        "print(recorder.status().errors, tracemalloc.is_tracing())\n"
    )

    assert done.stdout == "0\n0 False\n"


def test_the_interpreter_may_end_while_a_window_is_open(run_program, tmp_path):
    done = run_program(
        LEAK + "recorder.start()\n"
        "until = time.monotonic() + 60\n"
        "while not tracemalloc.is_tracing() and time.monotonic() < until:\n"
        "    leak(); time.sleep(0.001)\n"
        "print('the end')\n"
    )

    assert (done.stdout, done.stderr) == ("the end\n", "")
    assert open_ledger(tmp_path / "ledger").runs["ended"].notna().all()


def test_tracing_that_the_program_starts_itself_is_left_alone(run_program, tmp_path):
    done = run_program(
        "import tracemalloc\ntracemalloc.start(3)\n" + LEAK + "with recorder:\n"
        "    for _ in range(400):\n"
        "        leak(); time.sleep(0.001)\n"
        "print(tracemalloc.is_tracing(), tracemalloc.get_traceback_limit())\n"
    )

    assert done.stdout == "True 3\n"
    ledger = open_ledger(tmp_path / "ledger")
    assert "window" not in set(ledger.events["kind"])
    assert "leak" in set(ledger.sites["function"])


IN_A_WINDOW = """
recorder.start()
until = time.monotonic() + 60
while not tracemalloc.is_tracing() and time.monotonic() < until:
    leak(); time.sleep(0.001)
window = windows()
"""


def test_tracing_that_the_program_starts_while_a_window_is_open_goes_on(run_program):
    done = run_program(
        LEAK + IN_A_WINDOW + "tracemalloc.start(3)\n"
        "own = bytearray(1_000_000)\n"
        "while windows() == window and time.monotonic() < until:\n"
        "    time.sleep(0.001)\n"
        "recorder.stop()\n"
        "print(tracemalloc.is_tracing(), max(trace.size for trace in tracemalloc.take_snapshot().traces) > 1_000_000)\n"
        "print(recorder.status().errors, recorder.status().last_error)\n"
    )

    assert (done.stdout, done.stderr) == ("True True\n0 None\n", "")


def test_tracing_that_the_program_stops_while_a_window_is_open_is_no_error(run_program):
    done = run_program(
        LEAK + IN_A_WINDOW + "tracemalloc.stop()\n"
        "while windows() == window and time.monotonic() < until:\n"
        "    leak(); time.sleep(0.001)\n"
        "recorder.stop()\n"
        "print(tracemalloc.is_tracing(), recorder.status().errors, recorder.status().last_error)\n"
    )

    assert (done.stdout, done.stderr) == ("False 0 None\n", "")
