"""The same rows from a forked copy as from the process, and a process that outlives whatever becomes of the copy."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import types
from pathlib import Path

import pytest

import memanalysis.capture
from memanalysis.capture import forking, snapshot_sites
from memanalysis.capture.forking import find_fork_obstacle, run_in_fork
from memanalysis.capture.snapshot import read_sites

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

forks = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux alone")


@pytest.fixture(autouse=True)
def sets_aside_hooks_of_libraries(monkeypatch):
    """Libraries that other tests loaded into this process (IPython, fsspec) have hooks for forks.

    ``test_fork_hooks.py`` shows on real processes that such hooks keep the work in the process.
    """
    monkeypatch.setattr(forking, "find_fork_hooks", lambda: None)


@pytest.fixture
def tracing():
    tracemalloc.start(25)
    yield
    tracemalloc.stop()


@pytest.fixture
def kept(tracing):
    """One traced line that holds 3,000,000 bytes."""
    return hold()


def hold():
    return [bytes(1_000_000) for _ in range(3)]


def only_mine(rows):
    return [row for row in rows if row["file"] == __file__ and row["size_bytes"] > 1_000_000]


@forks
def test_a_forked_copy_gives_the_same_rows(kept):
    here, copied = snapshot_sites(), snapshot_sites(fork=True)

    assert (here.forked, copied.forked) == (False, True)
    assert only_mine(copied) == only_mine(here)
    assert only_mine(copied)[0]["function"] == "hold"
    assert tracemalloc.is_tracing()


@forks
@pytest.mark.alone
def test_the_program_stops_for_the_fork_alone(kept):
    many = [[number] for number in range(200_000)]

    here, copied = snapshot_sites(top=5), snapshot_sites(top=5, fork=True)

    assert len(many) == 200_000
    assert copied.pause_s < here.pause_s


def test_what_memanalysis_and_tracemalloc_hold_is_kept_apart(kept):
    rows = snapshot_sites()

    assert rows.tracer_bytes == pytest.approx(tracemalloc.get_tracemalloc_memory() + rows.own_bytes, rel=0.05)
    assert not [row for row in rows if "memanalysis/capture" in row["file"]]


def test_cuda_in_use_keeps_the_work_in_the_process(kept, monkeypatch):
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "torch", torch)

    rows = snapshot_sites(fork=True)

    assert not rows.forked
    assert rows.why_not_forked in ("CUDA is in use", f"copies of a process are not safe on {sys.platform}")
    assert only_mine(rows)


def test_a_system_without_fork_keeps_the_work_in_the_process(kept, monkeypatch):
    monkeypatch.setattr(forking, "_fork", None)

    rows = snapshot_sites(fork=True)

    assert (rows.forked, rows.why_not_forked) == (False, "this system does not fork")
    assert only_mine(rows)


def test_asked_not_to_fork_it_does_not(kept):
    rows = snapshot_sites(fork=False)

    assert (rows.forked, rows.why_not_forked) == (False, None)


@forks
def test_a_copy_that_hangs_is_killed_within_its_bound():
    pids = []
    started = time.monotonic()

    answer = run_in_fork(lambda: time.sleep(600), timeout_s=0.3)
    pids.extend(_children())

    assert answer.error == "the copy had not answered after 0.3 s and was killed"
    assert time.monotonic() - started < 10
    assert pids == []


@forks
@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0, lambda: object()])
def test_a_copy_that_dies_is_named_and_collected(end):
    answer = run_in_fork(end)

    assert (answer.value, answer.error) == (None, "the copy ended without an answer")
    assert _children() == []


@forks
def test_a_hanging_copy_is_replaced_by_work_in_the_process(kept, monkeypatch):
    monkeypatch.setattr("memanalysis.capture.snapshot.read_raw_traces", lambda: time.sleep(600))

    rows = read_sites(fork=True, timeout_s=0.2)

    assert not rows.forked
    assert "killed" in rows.why_not_forked
    assert only_mine(rows)


@forks
def test_the_copy_holds_no_connection_of_the_program_open():
    read_end, write_end = os.pipe()

    assert run_in_fork(lambda: [_is_open(read_end), _is_open(write_end)]).value == [False, False]
    assert _is_open(read_end)
    os.close(read_end)
    os.close(write_end)


@forks
def test_the_copy_forgets_the_programs_signal_handlers():
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        answer = run_in_fork(lambda: signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert answer.value is True


@forks
def test_whoever_watches_forks_can_tell_this_one():
    code = (
        "import os; from memanalysis.capture.forking import is_forking, run_in_fork; seen = []; "
        "os.register_at_fork(after_in_parent=lambda: seen.append(is_forking())); "
        "run_in_fork(lambda: None); print(seen, is_forking())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout == "[True] False\n"


@forks
def test_a_program_that_takes_the_pipe_keeps_its_file_and_the_work_is_not_answered(tmp_path):
    """Another thread puts a file onto each number that the fork opened, while the copy works."""
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    own = (tmp_path / "own.bin").open("w+b", buffering=0)
    own.write(b"HEADER")
    own.seek(0)
    taken = []

    def take():
        deadline = time.monotonic() + 30
        while not _children() and time.monotonic() < deadline:
            time.sleep(0.01)
        for path in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                if path.name not in before and str(path.readlink()).startswith("pipe:"):
                    taken.append(os.dup2(own.fileno(), int(path.name)))

    thread = threading.Thread(target=take)
    thread.start()
    answer = run_in_fork(lambda: time.sleep(3) or "answer", timeout_s=20)
    thread.join()

    assert answer.value is None
    assert taken
    for number in taken:
        assert os.pread(number, 20, 0) == b"HEADER"
        assert os.lseek(number, 0, os.SEEK_CUR) == 0
        os.close(number)
    own.close()


@forks
def test_an_answer_larger_than_a_pipe_holds_arrives_whole():
    assert run_in_fork(lambda: "x" * 5_000_000).value == "x" * 5_000_000


@forks
def test_no_obstacle_is_found_in_a_plain_process():
    code = "from memanalysis.capture.forking import find_fork_obstacle; print(find_fork_obstacle())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "None\n"
    assert find_fork_obstacle() is None


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(kept, enabled):
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        snapshot_sites(top=1)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_the_package_has_one_entry_point():
    assert memanalysis.capture.__all__ == ["snapshot_sites"]
    with pytest.raises(AttributeError, match="has no attribute 'snapshot_site'"):
        _ = memanalysis.capture.snapshot_site


def _children():
    import psutil

    return [child.pid for child in psutil.Process().children()]


def _is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
