"""A process that joins a ledger, and ends before it has begun to record."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.watcher.joining import Membership

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the system which threads there are")


def list_threads() -> set[str]:
    return {thread.name for thread in Path("/proc/self/task").iterdir()}


@pytest.mark.parametrize("end", [Membership.end, Membership.end_worker])
def test_no_thread_is_left_for_the_end_of_the_interpreter(end) -> None:
    """CPython 3.11 crashes where it ends before a thread that was started has run for the first time."""
    membership = Membership(60.0, "{}")
    before = list_threads()

    for _ in range(20):
        membership.begin_later()
        end(membership)
        assert list_threads() <= before


def test_a_fork_that_no_hook_saw_does_not_wait_for_threads_that_it_has_not(tmp_path: Path) -> None:
    """C code that forks calls no hook of Python: the child has the record of a thread, and no thread."""
    program = tmp_path / "forks.py"
    program.write_text(
        "import ctypes, os, time\n"
        "from memanalysis.watcher.joining import Membership\n"
        "membership = Membership(60.0, '{}')\n"
        "membership.begin_later()\n"
        "pid = ctypes.CDLL(None).fork()\n"
        "began = time.monotonic()\n"
        "membership.end()\n"
        "if pid == 0:\n"
        "    os._exit(int(time.monotonic() - began > 2))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("0\n", "")


HALF_A_MODULE = """
import collections.abc, sys, time, types

whole, asked = sys.modules["collections.abc"], []


class Half(types.ModuleType):
    def __getattr__(self, name):
        if not name.startswith("__") and not asked:
            asked.append(name)
            raise AttributeError(name)
        return getattr(whole, name)


sys.modules["collections.abc"] = Half("collections.abc")
until = time.monotonic() + 60
while time.monotonic() < until:
    recorder = sys.modules.get("memanalysis.watcher.recorder")
    if recorder is not None and getattr(recorder, "_running", None):
        break
    time.sleep(0.01)
print(bool(asked), bool(recorder and recorder._running))
"""


@pytest.mark.slow
def test_a_child_whose_program_is_importing_is_watched_a_moment_later(tmp_path: Path) -> None:
    """On 3.13 a child was left alone whose main thread imported `collections` as its recorder was loaded."""
    (tmp_path / "child.py").write_text(HALF_A_MODULE)
    (tmp_path / "parent.py").write_text("import subprocess, sys; subprocess.run([sys.executable, 'child.py'])")
    command = [sys.executable, "-m", "memanalysis", "run", "--interval", "0.3", "--ledger", "ledger", "parent.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    assert (done.stdout, done.stderr) == ("True True\n", "")
