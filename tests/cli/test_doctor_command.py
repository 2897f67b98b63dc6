"""``memanalysis doctor`` names the engine that finds lines here, with the reason, and tests it."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from needs import needs_sampler
from pseudo_terminal import run_in_terminal

from memanalysis.cli.self_test import THREAD_NAME, describe_self_test, run_self_test
from memanalysis.watcher.trace_engine import choose_engine

ROOT = Path(__file__).parents[2]


def run_doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memanalysis", "doctor"],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.slow
def test_it_names_the_engine_and_sees_what_it_allocates() -> None:
    done = run_doctor(COLUMNS="80")

    text = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"lines {choose_engine('auto').name}." in text
    assert re.search(r"memory resident \(RSS\) .+, shared pages split \(PSS\) .+, private \(USS\) .+, free in ", text)
    assert "16.1 MiB were allocated" in text
    assert "100 rows were written into a ledger, 100 of them were read as written. All is well." in text
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.slow
def test_a_terminal_shows_what_the_self_test_does_and_the_result_is_the_same() -> None:
    done = run_in_terminal("doctor", columns=200)

    assert "Allocating 16 MiB, and writing a ledger" in done.errors
    assert "Allocating" not in done.output
    assert "All is well." in " ".join(done.output.split())
    assert f"snapshots {'in a forked copy' if sys.platform == 'linux' else 'in'}" in " ".join(done.output.split())


@needs_sampler
def test_the_sampler_sees_the_bytes_within_its_error() -> None:
    assert "the sampler saw" in " ".join(run_doctor().stdout.split())


def test_a_self_test_that_is_not_done_in_time_ends_and_fails() -> None:
    """Within no time at all no ledger is written and read."""
    found = run_self_test(max_s=0.0)
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(60)

    assert not found.is_passed
    assert "could not be written and read: it took more than 0 s." in describe_self_test(found)
