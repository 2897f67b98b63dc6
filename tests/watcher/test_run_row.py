"""The row of a run shows which process it was."""

import os
import platform
import re
import sys
import time

import pytest

from memanalysis.schema import RUNS
from memanalysis.watcher.redaction import redact_arguments
from memanalysis.watcher.run_row import make_run_id, make_run_row


def test_a_run_is_named_by_time_pid_and_chance():
    assert re.fullmatch(rf"20231114T221320Z-{os.getpid()}-[0-9a-f]{{8}}", make_run_id(1_700_000_000.0))
    assert make_run_id(0.0) != make_run_id(0.0)


def test_the_row_has_every_column_of_the_table():
    row = make_run_row("api", started=time.time())

    assert set(row) == set(RUNS)
    assert row["pid"] == os.getpid()
    assert row["parent_pid"] == os.getppid()
    assert row["program_pid"] is None
    assert row["host"] == platform.node()
    assert row["python"] == f"cpython {platform.python_version()}"
    assert row["argv"] == redact_arguments(sys.argv)
    assert row["ended"] is None


@pytest.mark.alone
def test_a_run_row_takes_little_time():
    """What starts a recorder must not hold up its host; the best of three, for a busy machine."""

    def measure():
        started = time.perf_counter()
        make_run_row("api", started=0.0)
        return time.perf_counter() - started

    assert min(measure() for _ in range(3)) < 0.1


def test_the_commit_that_the_environment_names_counts_first(monkeypatch):
    monkeypatch.setenv("MEMANALYSIS_COMMIT", "0123abcd" * 40)

    assert make_run_row("api", started=0.0)["git_commit"] == ("0123abcd" * 40)[:200]
