"""A process that joins a ledger, and ends before it has begun to record."""

import sys
from pathlib import Path

import pytest

from memanalysis.watcher.joining import Membership

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the system which threads there are")


def list_threads() -> set[str]:
    return {thread.name for thread in Path("/proc/self/task").iterdir()}


@pytest.mark.parametrize("end", [Membership.end, Membership.end_worker])
def test_no_thread_is_left_for_the_end_of_the_interpreter(end) -> None:
    """CPython 3.11 crashes where it ends before a thread that was started has run for the first time."""
    membership = Membership(60.0, "{}")
    before = list_threads()

    for _ in range(20):
        membership.begin_later()
        end(membership)
        assert list_threads() <= before
