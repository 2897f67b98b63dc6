"""What the kernel still shows of a process that is gone: counters and its log, from saved text and this machine."""

import os
import subprocess
import sys
import time

import pytest

from memanalysis._gone_process import (
    find_traces,
    parse_kernel_record,
    parse_oom_kills,
    read_state,
    runs_on_this_kernel,
)
from tests.processes import running

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counters are those of Linux")

CGROUP_V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"
CGROUP_V2 = "low 0\nhigh 0\nmax 41\noom 2\noom_kill 2\noom_group_kill 0\n"
VMSTAT = "pgmajfault 812\noom_kill 7\nnuma_hit 11\n"
RECORD = (
    "6,1391,70211930124,-;Memory cgroup out of memory: Killed process 4711 (python3) total-vm:312208kB, "
    "anon-rss:129884kB, file-rss:8960kB, shmem-rss:0kB, UID:0 pgtables:420kB oom_score_adj:0\n SUBSYSTEM=x"
)
"""As Linux 6.1 writes it (mm/oom_kill.c, __oom_kill_process)."""


@pytest.mark.parametrize(("text", "kills"), [(CGROUP_V1, 1), (CGROUP_V2, 2), (VMSTAT, 7), ("oom 3\n", None)])
def test_kills_are_counted_in_each_form_of_the_file(text, kills):
    assert parse_oom_kills(text) == kills


def test_the_record_of_a_kill_names_the_process_and_when():
    pid, seconds, text = parse_kernel_record(RECORD) or (None, None, "")

    assert (pid, seconds) == (4711, 70211.930124)
    assert text.startswith("Memory cgroup out of memory: Killed process 4711 (python3)")
    assert "SUBSYSTEM" not in text


@pytest.mark.parametrize(
    "record", ["", "6,1,2,-;usb 1-1: new device", "no head", "6,1;Out of memory: Killed process 7 (a)"]
)
def test_another_record_is_no_kill(record):
    assert parse_kernel_record(record) is None


@on_linux
def test_a_process_that_runs_leaves_no_traces():
    assert find_traces(os.getpid(), started=time.time(), state=read_state(None)) == {"still_runs": True}


@on_linux
def test_what_the_kernel_killed_since_is_the_difference_of_its_counter():
    with running(subprocess.Popen([sys.executable, "-c", "pass"])) as process:
        process.wait(60)
    state = read_state(None)
    if "host_oom_kills" not in state:
        pytest.skip("this kernel does not count them")

    traces = find_traces(
        process.pid, started=time.time() - 9, state=state | {"host_oom_kills": state["host_oom_kills"] - 3}
    )

    assert traces["host_oom_kills"] == 3
    assert "host_oom_kills" not in find_traces(process.pid, started=time.time() - 9, state=state)


@on_linux
def test_after_a_restart_of_the_machine_no_counter_is_compared():
    state = read_state(None) | {"boot_id": "another", "host_oom_kills": -5}

    assert find_traces(1, started=0.0, state=state) == {"machine_restarted": True}
    assert not runs_on_this_kernel(state)
    assert runs_on_this_kernel(read_state(None))


@on_linux
@pytest.mark.parametrize("path", ["/etc/passwd", "/sys/fs/cgroup/../../etc/memory.events", "memory.events", 7])
def test_a_ledger_names_no_other_file_to_be_read(path, tmp_path):
    """A path from a ledger is data: only counters of a cgroup are opened."""
    assert "oom_kills" not in find_traces(None, started=0.0, state={"oom_file": path, "oom_kills": -1})
