"""Run code that is killed before a chosen call which changes a folder, each time in a fork of a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["DeadlyRun", "RunsUntilKilled", "runs_until_killed"]

SERVER = """
import json, os, signal, sys

{imports}

def deadly(call):
    def wrapper(*args, **kwargs):
        global n_calls
        n_calls += 1
        if n_calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return wrapper

for request in sys.stdin:
    root, step = json.loads(request)
    n_calls = 0
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        for name in ("fsync", "replace", "rename", "unlink"):  # each step that changes a folder or makes one last
            setattr(os, name, deadly(getattr(os, name)))
        {call}
        os.write(writing, str(n_calls).encode())
        os._exit(0)
    os.close(writing)
    n_made = os.read(reading, 20).decode()
    os.close(reading)
    status = os.waitpid(child, 0)[1]
    print(json.dumps([os.waitstatus_to_exitcode(status), int(n_made or 0)]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class DeadlyRun:
    """How a run ended, and how many calls it made that change a folder, where it came to its end."""

    returncode: int
    n_calls: int


class RunsUntilKilled(Protocol):
    """Runs the code on a folder; SIGKILL comes before its call of that number."""

    def __call__(self, root: object, *, step: int) -> DeadlyRun: ...


@contextmanager
def runs_until_killed(imports: str, call: str) -> Iterator[RunsUntilKilled]:
    """Give what runs ``call`` on its ``root``, in forks of a process that has done the imports and nothing else."""
    source = SERVER.format(imports=imports, call=call)
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(root: object, *, step: int) -> DeadlyRun:
            print(json.dumps([str(root), step]), file=server.stdin, flush=True)
            return DeadlyRun(*json.loads(server.stdout.readline()))

        yield run
        server.stdin.close()
