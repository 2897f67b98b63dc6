"""What a program learns of its children is as without us: no pid that is not its own, no signal, no hook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.ledger.reading.ledger import open_ledger

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is started while a program runs")

SMALL_FILES = """
import ctypes, glob, os, signal, sys, time
from memanalysis import watch
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
LedgerWriter.__init__.__kwdefaults__["segment_bytes"] = 2_000
DEADLINE = time.monotonic() + 90
def count_sealed():
    return len(glob.glob("ledger/samples/*/*.parquet"))
def wait_until(condition):
    while not condition():
        assert time.monotonic() < DEADLINE, "waited in vain"
        time.sleep(0.02)
hooks = []
os.register_at_fork(before=lambda: hooks.append("before"), after_in_parent=lambda: hooks.append("parent"))
"""

SUPERVISOR = (
    SMALL_FILES
    + """
def start_worker():
    return os.posix_spawn("/bin/sleep", ["sleep", "0.1"], os.environ)
recorder = watch("api", ledger="ledger", interval=0.01, trace="off")
recorder.start()
workers = {start_worker(), start_worker()}
ended = 0
while workers:
    pid, status = os.wait()
    workers.remove(pid)
    ended += 1
    if count_sealed() < 3 and time.monotonic() < DEADLINE:
        workers.add(start_worker())
assert count_sealed() >= 3
recorder.stop()
print(ended >= 2, hooks)
"""
)

HANDLER = (
    SMALL_FILES
    + """
seen = []
def reap(*_):
    seen.append("signal")
    try:
        while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            seen.append(found)
    except ChildProcessError:
        pass
signal.signal(signal.SIGCHLD, reap)
recorder = watch("api", ledger="ledger", interval=0.01, **eval(sys.argv[1]))
recorder.start()
kept = [bytes(10_000) for _ in range(100)]
wait_until(lambda: count_sealed() >= 3)
recorder.stop()
try:
    seen.append(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    pass
print(seen, hooks)
"""
)

HOOKS = (
    SMALL_FILES
    + """
recorder = watch("api", ledger="ledger", interval=0.01, trace="full", snapshot_interval=0.05, fork=True)
recorder.start()
wait_until(lambda: recorder.status().snapshots >= 5)
recorder.stop(seal=False)
print(hooks)
"""
)

ADOPTS = (
    SMALL_FILES
    + """
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
seen = []
if sys.argv[1] == "handles":
    signal.signal(signal.SIGCHLD, lambda *_: seen.append("signal"))
recorder = watch("api", ledger="ledger", interval=0.01, trace="off")
recorder.start()
if sys.argv[1] == "handles":
    wait_until(lambda: len(glob.glob("ledger/live/samples/*/*.jsonl")) >= 4)
    while_running = count_sealed()
else:
    wait_until(lambda: count_sealed() >= 3)
    while_running = "some"
recorder.stop()
def children():
    return [pid for path in glob.glob("/proc/self/task/*/children") for pid in open(path).read().split()]
wait_until(lambda: not children())
print(while_running, seen, hooks)
"""
)


def run(folder: Path, source: str, *arguments: str) -> str:
    program = folder / "program.py"
    program.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def check_rows(folder: Path) -> list[str]:
    ledger = open_ledger(folder / "ledger")
    assert ledger.samples["seq"].tolist() == list(range(len(ledger.samples)))
    assert ledger.damage == []
    return ledger.events.loc[ledger.events["kind"] == "snapshot", "message"].tolist()


@pytest.mark.slow
def test_a_supervisor_that_waits_for_any_child_meets_its_own_only(tmp_path: Path) -> None:
    assert run(tmp_path, SUPERVISOR) == "True []"

    check_rows(tmp_path)
    assert not list((tmp_path / "ledger").rglob("*.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("trace", ["off", "full"])
def test_a_handler_of_sigchld_and_hooks_for_forks_never_run_for_us(tmp_path: Path, trace: str) -> None:
    arguments = {"trace": trace, "fork": True, "snapshot_interval": 0.1}

    assert run(tmp_path, HANDLER, repr(arguments)) == "[] []"

    messages = check_rows(tmp_path)
    expected = "Full snapshots are read in the process: the program handles SIGCHLD."
    assert messages == ([expected] if trace == "full" else [])


@pytest.mark.slow
def test_hooks_of_the_program_keep_a_snapshot_from_forking(tmp_path: Path) -> None:
    assert run(tmp_path, HOOKS) == "[]"

    (message,) = check_rows(tmp_path)
    assert message == "Full snapshots are read in the process: the program has hooks for forks (of __main__)."


@pytest.mark.slow
@pytest.mark.parametrize(("how", "answer"), [("handles", "0 [] []"), ("rests", "some [] []")])
def test_a_process_that_takes_in_orphans_meets_none_of_ours(tmp_path: Path, how: str, answer: str) -> None:
    """As the first process of a container: nothing is started where it would notice, and nothing stays uncollected."""
    assert run(tmp_path, ADOPTS, how) == answer

    check_rows(tmp_path)
    assert not list((tmp_path / "ledger").rglob("*.jsonl"))
