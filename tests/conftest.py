"""What every test must leave behind: nothing."""

import gc
import sys
import threading
import tracemalloc
from collections.abc import Iterator

import psutil
import pytest

DAEMONS_OF_LIBRARIES = ("ThreadPoolExecutor", "asyncio_", "IPythonHistorySavingThread", "pyarrow", "fsspecIO")


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """After each test tracing is off, and no thread, child process or figure is left."""
    threads_before = set(threading.enumerate())
    children_before = {child.pid for child in psutil.Process().children()}
    yield
    tracing = tracemalloc.is_tracing()
    if tracing:
        tracemalloc.stop()
    gc.collect()
    threads = [
        thread.name
        for thread in threading.enumerate()
        if thread not in threads_before and not thread.name.startswith(DAEMONS_OF_LIBRARIES)
    ]
    children = [child.pid for child in psutil.Process().children() if child.pid not in children_before]
    pyplot = sys.modules.get("matplotlib.pyplot")
    figures = pyplot.get_fignums() if pyplot else []
    assert not tracing, "tracemalloc was left on"
    assert not threads, f"threads left running: {threads}"
    assert not children, f"child processes left: {children}"
    assert not figures, f"matplotlib figures left open: {figures}"
