"""Processes that tests start: none outlives a test that fails."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["running"]


@contextmanager
def running(process: "subprocess.Popen[Any]") -> Iterator["subprocess.Popen[Any]"]:
    """Use a process as its own ``with`` does, but kill it where the test fails: else that waits for its end, for ever.

    Parameters
    ----------
    process : subprocess.Popen
        The process, started.

    Yields
    ------
    subprocess.Popen
        The same.
    """
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
