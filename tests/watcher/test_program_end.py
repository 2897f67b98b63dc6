"""The last sample is taken before exit handlers free what the program held, in every process of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.units import MIB

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

HOLDS = """
import atexit, sys, threading, time
from memanalysis import watch
held = [bytearray(50 * 1024 * 1024)]
def free():
    held.clear()
    time.sleep(0.3)
atexit.register(free)
"""

WAYS = {
    "watch": HOLDS + "watch('api', ledger='ledger', interval=60).start()\natexit.register(free)\n",
    "an error": HOLDS + "watch('api', ledger='ledger', interval=60).start()\natexit.register(free)\n1 / 0\n",
    "sys.exit": HOLDS + "watch('api', ledger='ledger', interval=60).start()\natexit.register(free)\nsys.exit(3)\n",
}


def run(tmp_path, source, *options):
    (tmp_path / "program.py").write_text(source)
    return subprocess.run(
        [sys.executable, *options, "program.py"], cwd=tmp_path, timeout=60, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_exit_handlers_free_is_in_the_last_sample(tmp_path, way):
    done = run(tmp_path, WAYS[way])
    samples = open_ledger(tmp_path / "ledger").samples.sort_values("seq")

    assert done.returncode == {"watch": 0, "an error": 1, "sys.exit": 3}[way], done.stderr
    assert len(samples) == 2  # the first and the last
    assert abs(samples["rss_bytes"].iloc[1] - samples["rss_bytes"].iloc[0]) < 25 * MIB
    assert open_ledger(tmp_path / "ledger").runs["ended"].notna().all()


def test_a_program_under_run_has_its_last_sample_before_its_exit_handlers_too(tmp_path):
    done = run(
        tmp_path, HOLDS.replace("from memanalysis import watch", ""), "-m", "memanalysis", "run", "--interval", "60"
    )
    samples = open_ledger(tmp_path / "memanalysis-ledger").samples.sort_values("seq")

    assert done.returncode == 0, done.stderr
    assert samples["rss_bytes"].iloc[-1] - samples["rss_bytes"].iloc[0] > 40 * MIB


def test_a_program_that_goes_on_in_a_thread_is_watched_until_that_ends(tmp_path):
    """The main code ends at once; the thread holds 50 MB a second later."""
    source = """
import threading, time
from memanalysis import watch
held = []
def work():
    time.sleep(0.7)
    held.append(bytearray(50 * 1024 * 1024))
    time.sleep(0.7)
watch("api", ledger="ledger", interval=0.1).start()
threading.Thread(target=work).start()
"""
    done = run(tmp_path, source)
    rss_bytes = open_ledger(tmp_path / "ledger").samples.sort_values("seq")["rss_bytes"]

    assert done.returncode == 0, done.stderr
    assert rss_bytes.iloc[-2] - rss_bytes.iloc[0] > 40 * MIB


def test_a_recorder_that_is_stopped_by_hand_takes_its_last_sample_then(tmp_path):
    source = """
from memanalysis import watch
with watch("api", ledger="ledger", interval=60):
    held = bytearray(50 * 1024 * 1024)
del held
"""
    done = run(tmp_path, source)
    rss_bytes = open_ledger(tmp_path / "ledger").samples.sort_values("seq")["rss_bytes"]

    assert done.returncode == 0, done.stderr
    assert len(rss_bytes) == 2
    assert rss_bytes.iloc[1] - rss_bytes.iloc[0] > 40 * MIB
