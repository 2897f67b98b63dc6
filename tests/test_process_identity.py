"""Which process has a number: real ones."""

import os
import subprocess
import sys
import time

import pytest

from memanalysis._process_identity import is_still_running, parse_process_start


@pytest.mark.slow
def test_this_process_runs_and_one_that_had_its_number_long_ago_does_not() -> None:
    assert is_still_running(os.getpid(), seen_at=time.time())
    assert not is_still_running(os.getpid(), seen_at=time.time() - 10 * 365 * 86400)


def test_a_process_that_has_ended_does_not_run_also_before_its_parent_asked() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # its end
    until = time.monotonic() + 30
    while is_still_running(process.pid, seen_at=time.time()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_still_running(process.pid, seen_at=time.time())
    process.stdout.close()
    process.wait()
    assert not is_still_running(process.pid, seen_at=time.time())


def test_no_number_is_no_process() -> None:
    assert not is_still_running(0, seen_at=time.time())


@pytest.mark.parametrize("stat", [b"", b"7 (python) S 1", b"no text of proc"])
def test_a_text_that_is_none_is_refused(stat: bytes) -> None:
    with pytest.raises(ValueError, match="needs 20 fields"):
        parse_process_start(stat, boot_time=0, ticks_per_s=100)
