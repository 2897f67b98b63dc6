"""What every test must leave behind: nothing."""

import gc
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

DAEMONS_OF_LIBRARIES = ("ThreadPoolExecutor", "asyncio_", "IPythonHistorySavingThread", "pyarrow", "fsspecIO")

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes is the machine's matter, and no result

THREADS_OF_SERVERS = "(process_request_thread)"
"""How the name of a thread ends that serves a connection of a test server; it ends with the connection."""


PACKAGES_THAT_COUNT_OBJECTS = {"capture", "classes", "leaktest", "watcher"}
"""Their tests see the whole process, so nothing is set aside; late in a run a full collection takes over a second."""


LONG_COLLECTION_S = 0.05


@pytest.fixture(autouse=True, scope="module")
def sets_aside_what_is_loaded(request: pytest.FixtureRequest) -> Iterator[None]:
    """During the tests of a file, what is alive before (modules, mostly) is out of the garbage collector's sight.

    The collection after each test then takes a millisecond and not a tenth of a second.
    """
    if counts_objects(request):
        gc.unfreeze()
        gc.collect()
        yield
        return
    gc.freeze()
    yield
    gc.collect()  # what the file shared, before it is set aside for good


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test tracing is off, and no thread, child process or figure is left."""
    threads_before = set(threading.enumerate())
    children_before = {child.pid for child in psutil.Process().children()}
    yield
    tracing = tracemalloc.is_tracing()
    if tracing:
        tracemalloc.stop()
    collect_quickly(request)
    threads, children, figures = find_left(threads_before, children_before)
    assert not tracing, "tracemalloc was left on"
    assert not threads, f"threads left running: {threads}"
    assert not children, f"child processes left: {children}"
    assert not figures, f"matplotlib figures left open: {figures}"


def collect_quickly(request: pytest.FixtureRequest) -> None:
    """Collect garbage; where that takes long, what is alive is out of sight for the rest of the file."""
    if counts_objects(request):
        gc.collect(1)
        return
    began = time.perf_counter()
    gc.collect()
    if time.perf_counter() - began > LONG_COLLECTION_S:
        gc.freeze()


def counts_objects(request: pytest.FixtureRequest) -> bool:
    return request.path.parent.name in PACKAGES_THAT_COUNT_OBJECTS


def find_left(
    threads_before: set[threading.Thread], children_before: set[int]
) -> tuple[list[str], list[int], list[int]]:
    """Names of threads, ids of children and numbers of figures that were not there before."""
    threads = [
        thread.name
        for thread in threading.enumerate()
        if thread not in threads_before
        and not thread.name.startswith(DAEMONS_OF_LIBRARIES)
        and not thread.name.endswith(THREADS_OF_SERVERS)
    ]
    children = [child.pid for child in psutil.Process().children() if child.pid not in children_before]
    pyplot = sys.modules.get("matplotlib.pyplot")
    return threads, children, pyplot.get_fignums() if pyplot else []


@pytest.fixture
def run_program(tmp_path):
    """Run a program of some lines in a process of its own; gives the finished process."""

    def run(source, name="program.py", *, check=True):
        script = tmp_path / name
        script.write_text(source)
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", str(script)],  # 3.12 warns of forks beside threads
            capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
