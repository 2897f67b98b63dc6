"""A program that is asked to leave drains, leaves with 75, and is as without us until then."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.response.restart import CHILD, Restart
from memanalysis.schema import RESTART_EXIT_CODE

ROOT = Path(__file__).parents[2]

PRELUDE = """
import atexit, os, signal, sys, threading, time
from memanalysis.response.restart import Restart
restart = Restart()
restart.install()
def wait():
    for _ in range(6000):
        time.sleep(0.01)
    print("waited in vain")
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM cannot be handled there")


def run(code: str) -> tuple[int, list[str]]:
    """Exit code of a program, and the lines that it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], stdout=subprocess.PIPE, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.slow
def test_a_plain_program_leaves_in_order_with_code_75_also_while_it_sleeps() -> None:
    code, lines = run("""
atexit.register(print, "exit handlers")
try:
    restart.request(print)
    time.sleep(60)
finally:
    print("finally")
""")

    assert (code, lines) == (75, ["finally", "exit handlers"])


def test_a_handler_drains_and_the_program_leaves_by_itself() -> None:
    code, lines = run("""
drained = threading.Event()
restart.register(drained.set)
print(restart.exit_code, restart.is_requested)
restart.request(print)
restart.request(print)
print(drained.wait(60), restart.is_requested)
sys.exit(restart.exit_code)
""")

    assert (code, lines) == (75, ["0 False", "True True"])


def test_a_handler_that_fails_is_replaced_by_sigterm() -> None:
    code, lines = run("""
signal.signal(signal.SIGTERM, lambda *_: print("own handler") or sys.exit(4))
restart.register(lambda: 1 / 0)
restart.request(print)
wait()
""")

    assert (code, lines) == (4, ["own handler"])


def test_a_program_that_does_not_leave_is_ended_with_what_it_wrote() -> None:
    code, lines = run("""
sys.stdout.write("buffered ")
restart.register(lambda: None, within_s=0.1)
restart.request(lambda: sys.stdout.write("recording ended"))
wait()
""")

    assert (code, lines) == (75, ["buffered recording ended"])


def test_where_sigterm_could_not_be_taken_the_main_thread_leaves_all_the_same() -> None:
    """Watching was started in a thread: no handler can be set there."""
    code, lines = run("""
restart.uninstall()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
try:
    restart.request(print)
    wait()
finally:
    print("finally")
""")

    assert (code, lines) == (75, ["finally"])


def test_sigterm_of_somebody_else_ends_the_program_as_without_us() -> None:
    code, lines = run("os.kill(os.getpid(), signal.SIGTERM)\nwait()")

    assert (code, lines) == (-signal.SIGTERM, [])


def test_forked_children_handle_sigterm_as_without_us() -> None:
    code, lines = run("""
pid = os.fork()
if pid == 0:
    os._exit(int(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")

    assert (code, lines) == (0, ["1"])


def test_a_program_that_handles_sigterm_keeps_its_handler() -> None:
    code, lines = run("""
restart.uninstall()
own = signal.signal(signal.SIGTERM, print)
restart.install()
print(signal.getsignal(signal.SIGTERM) is print)
restart.uninstall()
print(signal.getsignal(signal.SIGTERM) is print)
""")

    assert (code, lines) == (0, ["True", "True"])


def test_workers_of_multiprocessing_are_not_restarted() -> None:
    code, lines = run("""
import multiprocessing
def show():
    print(restart.find_obstacle(None), flush=True)
worker = multiprocessing.get_context("fork").Process(target=show)
worker.start()
worker.join()
show()
restart.register(print)
print(restart.find_obstacle(None))
""")

    assert (code, lines) == (
        0,
        ["it is a worker of multiprocessing, whose parent waits for its result", "None", "None"],
    )


def test_a_child_of_the_program_is_not_restarted_unless_it_has_a_handler() -> None:
    restart = Restart()
    assert restart.find_obstacle(os.getpid()) is None
    assert restart.find_obstacle(os.getppid()) == CHILD
    restart.register(print)
    assert restart.find_obstacle(os.getppid()) is None


@pytest.mark.parametrize("arguments", [{"handler": 1}, {"handler": print, "within_s": 0}])
def test_wrong_handlers_are_errors(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError, match="register needs a callable without arguments"):
        Restart().register(**arguments)  # type: ignore[arg-type]


def test_the_code_is_the_one_that_sysexits_calls_temporary() -> None:
    assert os.EX_TEMPFAIL == RESTART_EXIT_CODE
