"""What a forked child is like before its first tick, where little has been done for it yet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.ledger.reading.ledger import open_ledger

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")

RECORD = """
import json, os, sys, threading, time
import memanalysis
recorder = memanalysis.watch("worker", ledger=sys.argv[1], interval=0.05)
recorder.start()
ready = threading.Event()

def hold():  # the parent's thread holds the recorder's locks as the child is made
    with recorder._lifecycle, recorder._ticker.ticking:
        ready.set()
        time.sleep(0.5)

def in_child(do):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, json.dumps(do()).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    return json.loads(os.read(reading, 4096))
"""


def _run(source: str, folder: Path) -> str:
    (folder / "program.py").write_text(RECORD + source)
    command = [sys.executable, "-W", "ignore", "-m", "memanalysis", "run", "--interval", "60", "--service", "program"]
    done = subprocess.run(
        [*command, "--ledger", str(folder / "of-run"), "program.py", str(folder / "own")],
        capture_output=True, text=True, cwd=folder, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_a_recorder_of_the_parent_does_not_run_in_the_child(tmp_path: Path) -> None:
    out = _run(
        "def ask():\n"
        "    return [recorder.status().running, recorder.mark('no'), recorder.stop(), recorder.snapshot_now()]\n"
        "print(json.dumps(in_child(ask)), recorder.status().running)\n"
        "recorder.stop()\n",
        tmp_path,
    )

    assert out == "[false, false, false, null] True\n"
    assert "mark" not in set(open_ledger(tmp_path / "own").events["kind"])


@pytest.mark.slow
def test_the_childs_own_recorder_starts_though_a_thread_held_the_parents_locks(tmp_path: Path) -> None:
    out = _run(
        "thread = threading.Thread(target=hold)\n"
        "thread.start()\n"
        "ready.wait()\n"
        "def begin():\n"
        "    return [recorder.start(), recorder.status().run_id, recorder.stop(seal=False)]\n"
        "print(json.dumps(in_child(begin)))\n"
        "thread.join()\n"
        "print(json.dumps(recorder.status().run_id))\n"
        "recorder.stop()\n",
        tmp_path,
    )
    (started, in_child, stopped), in_parent = map(json.loads, out.splitlines())

    assert (started, stopped) == (True, True)
    assert in_child != in_parent
    assert set(open_ledger(tmp_path / "own").runs["run_id"]) == {in_child, in_parent}
