"""A Dask cluster beside the tests: as quick to start as can be, or of processes that a test may kill."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import running

__all__ = ["ANSWER_S", "running_cluster"]

ANSWER_S = 120
"""Seconds that a cluster has for what takes one."""

CLUSTER = """
import sys
from distributed import LocalCluster
kind = {"processes": True} if sys.argv[1] == "processes" else {"processes": False, "protocol": "tcp://"}
options = {"threads_per_worker": 1, "host": "127.0.0.1", **kind}
with LocalCluster(n_workers=2, dashboard_address=None, memory_limit=0, **options) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@contextmanager
def running_cluster(folder: Path, *, processes: bool = False) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a scheduler with two workers in a process, or with a process each; yield it and the scheduler's address.

    What workers get is pickled either way. Their files are in the folder.
    """
    command = [sys.executable, "-c", CLUSTER, "processes" if processes else "threads"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    with running(started) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        if processes:
            process.stdin.close()  # it closes its workers
            process.wait(ANSWER_S)
        process.kill()
