"""Run code in a process of its own that is killed before a chosen call which changes a folder."""

import subprocess
import sys

__all__ = ["run_until_killed"]

DEADLY = """
import os, signal, sys

root, step = sys.argv[1], int(sys.argv[2])
n_calls = 0

def deadly(call):
    def wrapper(*args, **kwargs):
        global n_calls
        n_calls += 1
        if n_calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return wrapper

for name in ("fsync", "replace", "rename", "unlink"):  # each step that changes a folder or makes one last
    setattr(os, name, deadly(getattr(os, name)))
"""


def run_until_killed(code: str, root: object, *, step: int) -> subprocess.CompletedProcess[str]:
    """Run code that works on ``root``; SIGKILL comes before its call of that number. It prints how many there were."""
    source = f"{DEADLY}\n{code}\nprint(n_calls)\n"
    return subprocess.run(
        [sys.executable, "-c", source, str(root), str(step)], capture_output=True, text=True, check=False
    )
