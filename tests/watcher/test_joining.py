"""A process that joins a ledger, and ends before it has begun to record."""

import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.watcher.joining import Membership

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
