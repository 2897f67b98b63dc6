"""The family against psutil and real children; the container against folders that are laid out as the kernel does."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import running

from memanalysis.capture.process_groups import GroupReader, count_siblings, find_family
from memanalysis.units import MIB

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

HOLD_40_MIB = "import sys; held = b'x' * (40 << 20); print('ready', flush=True); sys.stdin.read()"


def test_a_family_is_a_process_and_all_that_descend_from_it() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 21: 20}

    assert find_family(10, parents) == {10, 11, 12, 13}
    assert find_family(21, parents) == {21}
    assert find_family(99, {99: 99, 98: 99}) == {98, 99}


@linux_only
def test_the_family_is_unknown_before_the_first_child_and_then_the_sum_of_all() -> None:
    reader = GroupReader()
    before, _ = reader.read()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(subprocess.Popen([sys.executable, "-c", HOLD_40_MIB], **pipes)) as child:
        assert child.stdout.readline() == b"ready\n"
        during, _ = reader.read()
        summed = sum(psutil.Process(pid).memory_full_info().pss for pid in (os.getpid(), child.pid))
        child.stdin.close()
    after, _ = reader.read()

    assert before is None or psutil.Process().children()
    assert during == pytest.approx(summed, abs=4 * MIB)
    assert during - after > 35 * MIB


MASTER = """
import os, sys
from memanalysis.capture.process_groups import GroupReader, count_siblings
from memanalysis.capture.sample import Clock, SampleReader
class Counting(GroupReader):
    n_read = 0
    def read(self):
        self.n_read += 1
        return super().read()
wait, go = os.pipe()
answers, answer = os.pipe()
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.close(go)
        os.read(wait, 1)  # until the master has closed it: all are there then
        now = [0.0]
        groups = Counting()
        reader = SampleReader(clock=Clock(lambda: now[0], lambda: now[0]), groups=groups)
        for now[0] in range(100):
            reader.read()
        os.write(answer, f"{count_siblings()} {groups.n_read}\\n".encode())
        os.read(wait, 1)
        os._exit(0)
os.close(wait)
os.close(go)
os.close(answer)
with open(answers) as lines:
    print(lines.read())
"""


def run_master(n_workers: int) -> list[tuple[int, int]]:
    """Return what each worker of one master reports: how many they are, and how often it read its family in 100 s."""
    done = subprocess.run(
        [sys.executable, "-c", MASTER, str(n_workers)],
        capture_output=True, text=True, timeout=100, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    return [(int(n_siblings), int(n_read)) for n_siblings, n_read in map(str.split, done.stdout.strip().split("\n"))]


@linux_only
def test_workers_of_one_master_know_how_many_they_are_and_share_what_reading_takes() -> None:
    (alone,) = run_master(1)
    many = run_master(30)

    assert alone[0] == 1
    assert len(many) == 30
    assert max(n_siblings for n_siblings, _ in many) == 30
    assert sorted(n_read for _, n_read in many)[15] < alone[1] / 3


@linux_only
def test_programs_that_one_parent_starts_share_nothing(tmp_path: Path) -> None:
    """As those of a shell or a supervisor; the same where the system shows nothing of a process."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with running(subprocess.Popen(command, stdin=subprocess.PIPE)) as one:
        with running(subprocess.Popen(command, stdin=subprocess.PIPE)) as other:
            assert [count_siblings(child.pid) for child in (one, other)] == [1, 1]
            other.stdin.close()
        one.stdin.close()
    assert count_siblings(101, proc=Machine(tmp_path, version=2).proc) == 1
    assert count_siblings(99_999_999) == 1


class Machine:
    """A /proc and a cgroup tree; the reader's process is 100, and 1 is above it."""

    def __init__(self, root: Path, version: int) -> None:
        self.proc, self.version = root / "proc", version
        self.mount = root / "cgroup"
        self.folder = self.mount / "docker" / "abc"
        self.folder.mkdir(parents=True)
        kind = "cgroup2" if version == 2 else "cgroup"
        controllers = "0::" if version == 2 else "5:memory:"
        self.texts = {
            "cgroup": f"{controllers}/docker/abc\n",
            "mountinfo": f"30 25 0:26 / {self.mount} rw - {kind} cgroup rw{'' if version == 2 else ',memory'}\n",
        }
        for pid, parent in ((1, 0), (100, 1), (101, 100)):
            self.add_process(pid, parent)
        self.set_memory(limit=1000 * MIB, usage=600 * MIB, inactive=100 * MIB)
        self.set_members(1, 100, 101)

    def add_process(self, pid: int, parent: int) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(parents=True)
        (folder / "stat").write_text(f"{pid} (a) b) S {parent} 1 1 0 -1 0\n")
        for name, text in self.texts.items():
            (folder / name).write_text(text)

    def set_memory(self, *, limit: int | None, usage: int, inactive: int) -> None:
        v2 = self.version == 2
        unlimited = "max" if v2 else str(2**63 - 4096)
        (self.folder / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(f"{limit or unlimited}\n")
        (self.folder / ("memory.current" if v2 else "memory.usage_in_bytes")).write_text(f"{usage}\n")
        stat = f"anon 5\ninactive_file {inactive}\n" if v2 else f"inactive_file 1\ntotal_inactive_file {inactive}\n"
        (self.folder / "memory.stat").write_text(stat)

    def set_members(self, *pids: int, below: str = "") -> None:
        folder = self.folder / below
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))

    def read_container(self, **arguments: bool) -> int | None:
        return GroupReader(100, proc=self.proc, **arguments).read()[1]


@pytest.fixture(params=[1, 2], ids=["cgroup v1", "cgroup v2"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path, request.param)


def test_a_container_is_what_it_uses_less_files_that_were_not_used_lately(machine: Machine) -> None:
    assert machine.read_container() == 500 * MIB


@pytest.mark.parametrize("below", ["", "other"])
def test_a_container_with_processes_of_others_is_not_the_services_own(machine: Machine, below: str) -> None:
    machine.add_process(200, 1)
    machine.set_members(1, 100, 101, 200, below=below)

    assert machine.read_container() is None
    assert machine.read_container(shares_container=True) == 500 * MIB


def test_without_a_limit_there_is_no_container(machine: Machine) -> None:
    machine.set_memory(limit=None, usage=600 * MIB, inactive=0)

    assert machine.read_container() is None
    assert machine.read_container(shares_container=True) is None


def test_what_cannot_be_read_is_unknown(machine: Machine) -> None:
    (machine.folder / "memory.stat").unlink()

    assert machine.read_container() is None
    assert GroupReader(7, proc=machine.proc / "nowhere").read() == (None, None)
