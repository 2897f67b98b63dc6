"""A child counts with memory of its own, and not with that of its parent before it begins its program."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import running

from memanalysis.capture.child_memory import read_child_bytes
from memanalysis.capture.process_groups import GroupReader
from memanalysis.units import MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SPAWNING = """
import os, sys
held = bytearray(b"1") * (60 << 20)
gate = [(os.POSIX_SPAWN_OPEN, 7, sys.argv[1], os.O_RDONLY, 0)]
os.waitpid(os.posix_spawn("/bin/sleep", ["sleep", "60"], {}, file_actions=gate), 0)
"""

FORKING = """
import os, sys
held = bytearray(b"1") * (60 << 20)
child = os.fork()
own = bytearray(b"1") * (20 << 20) if child == 0 else None
print("ready", flush=True)
sys.stdin.read()
if child:
    os.waitpid(child, 0)
"""


def wait_for_child(parent: int) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in psutil.Process(parent).children():
            return child.pid
        time.sleep(0.01)
    raise AssertionError("no child came")


def test_a_child_that_waits_in_its_parents_memory_holds_nothing_until_it_begins_its_program(tmp_path: Path) -> None:
    """The system opens a pipe for the child before its program begins, and waits there for the other end."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with running(subprocess.Popen([sys.executable, "-c", SPAWNING, str(gate)])) as parent:
        child = wait_for_child(parent.pid)
        shown_bytes = psutil.Process(child).memory_info().rss
        waiting = read_child_bytes(child, parent=parent.pid), GroupReader(parent.pid).read()[0]
        gate.write_bytes(b"")  # returns once the child has opened its end
        deadline = time.monotonic() + 60
        while read_child_bytes(child, parent=parent.pid) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        begun_bytes = read_child_bytes(child, parent=parent.pid)
        os.kill(child, 9)
        parent.wait(60)

    assert shown_bytes > 60 * MIB
    assert waiting[0] is None
    assert 60 * MIB < waiting[1] < 100 * MIB
    assert 0 < begun_bytes < 5 * MIB


def test_a_forked_child_counts_at_once() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(subprocess.Popen([sys.executable, "-c", FORKING], **pipes)) as parent:
        assert [parent.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        size_bytes = read_child_bytes(wait_for_child(parent.pid), parent=parent.pid)
        parent.stdin.close()

    assert 50 * MIB < size_bytes < 70 * MIB  # its own 20 MiB, and half of the 60 MiB that both have


def test_a_child_that_is_gone_is_unknown() -> None:
    with running(subprocess.Popen([sys.executable, "-c", ""])) as ended:
        ended.wait(60)

    assert read_child_bytes(ended.pid, parent=os.getpid()) is None
