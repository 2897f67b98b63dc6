"""A worker of a family that dies is named, with its line; one that its own program stops has died of nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from memanalysis.capture.fatal_signals import are_signals_seen
from memanalysis.capture.sampler import why_unavailable
from memanalysis.reports.make_report import Report, report
from memanalysis.units import MIB

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None or not are_signals_seen(), reason="the compiled modules are not here"
)

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100.0
HELD_BYTES = 60 * MIB
WORK = """
import multiprocessing, os, resource, signal, sys, time
CACHE = []
def keep():
    CACHE.append(bytearray(1024 * 1024))
def work(is_last):
    for _ in range(60 * is_last):
        keep()
        time.sleep(0.02)
    time.sleep(0.6)
    if is_last:
        die()
def square(number):
    time.sleep(0.1)
    return number**2
"""
KEEP_LINE = 1 + WORK.splitlines().index("    CACHE.append(bytearray(1024 * 1024))")
KILL = """
def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""
REFUSE = """
def die():
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    CACHE.append(bytearray(2**31))
"""
PROCESSES = """
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(number == 1,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""
FORKS = """
children = []
for number in range(2):
    child = os.fork()
    if not child:
        work(number == 1)
        sys.exit()
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
POOL = """
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert sum(pool.map(square, range(16))) == 1240
"""
KILLED = "ended at once, by SIGKILL from outside or by os._exit()"


def record(tmp_path: Path, source: str) -> Report:
    (tmp_path / "program.py").write_text(WORK + source)
    command = [sys.executable, "-m", "memanalysis", "run", "--interval", "0.1", "--ledger", "ledger", "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    ) as process:
        assert process.wait(DEADLINE_S) == 0
    return report(tmp_path / "ledger")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "cause"),
    [(KILL + PROCESSES, KILLED), (KILL + FORKS, KILLED), (REFUSE + PROCESSES, "ended with MemoryError at program.py:")],
    ids=["a worker of multiprocessing", "a forked one beside one that ends in order", "a limit"],
)
def test_a_worker_that_dies_is_named_with_its_line_though_its_program_ends_in_order(
    tmp_path: Path, source: str, cause: str
):
    made = record(tmp_path, source)
    found = made.sections[0].post_mortem

    assert found is not None
    assert made.headline.startswith(found.sentence)
    assert ", worker of process " in found.sentence
    assert cause in found.sentence
    assert found.line is not None
    assert found.line.line == KEEP_LINE
    assert found.line.held_bytes is not None
    assert abs(found.line.held_bytes - HELD_BYTES) < 0.3 * HELD_BYTES


@pytest.mark.slow
def test_a_pool_that_its_program_ends_is_no_death(tmp_path: Path):
    """The end of a ``with`` block terminates the workers by SIGTERM."""
    made = record(tmp_path, POOL)

    assert len(made.verdicts) >= 3
    assert made.sections[0].post_mortem is None
