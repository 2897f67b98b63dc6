"""How a program ended stands in its run: five ways to die are five different endings, and none changes the death."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.capture.fatal_signals import are_signals_seen
from memanalysis.errors import MemoryBudgetExceeded
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.run_ends import Cause, find_cause
from memanalysis.watcher.run_ending import describe_error, read_limits
from memanalysis.watcher.watch import watch
from tests.processes import running

ROOT = Path(__file__).parents[2]
START = """
import os, resource, signal, sys
from memanalysis import watch
watch("api", ledger="ledger", interval=60, seal=False).start()
"""
LIMIT_BYTES = 8 * 2**30
REFUSED = {
    f"held = bytearray({LIMIT_BYTES})": "MemoryError",
    f"held = numpy.empty({LIMIT_BYTES}, 'u1')": "_ArrayMemoryError",
    f"held = mmap.mmap(-1, {LIMIT_BYTES})": "OSError",
}


def end(tmp_path, source):
    """Return the exit status of a watched program, and the cells ``ending`` and ``ended`` of its run."""
    (tmp_path / "program.py").write_text(START + source)
    command = [sys.executable, "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)) as process:
        process.wait(60)
    run = open_ledger(tmp_path / "ledger").runs.iloc[-1]
    return process.returncode, run["ending"], run["ended"]


def test_an_exception_is_kept_with_its_place_and_without_secrets(tmp_path):
    status, ending, _ = end(tmp_path, "def take():\n    raise KeyError('no job, token=abc123')\ntake()\n")

    assert status == 1
    assert ending["how"] == "exception"
    exception = ending["exception"]
    assert exception["type"] == "KeyError"
    assert exception["function"] == "take"
    assert exception["line"] == START.count("\n") + 2
    assert "abc123" not in json.dumps(ending)


@pytest.mark.parametrize("source", REFUSED, ids=REFUSED.values())
def test_an_error_for_memory_is_kept_with_the_limit_that_refused(tmp_path, source):
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({LIMIT_BYTES}, {LIMIT_BYTES}))"
    status, ending, _ = end(tmp_path, f"import mmap, numpy\n{limit}\n{source}\n")

    assert status == 1
    assert ending["exception"]["type"].rpartition(".")[2] == REFUSED[source]
    assert ending["is_memory"] is True
    assert ending["limits"]["address_space_bytes"] == LIMIT_BYTES
    assert find_cause(ending) is Cause.MEMORY_LIMIT


def test_a_memory_budget_is_about_memory_and_no_limit_of_the_system():
    ending = describe_error(MemoryBudgetExceeded("over"), "full")

    assert ending["is_memory"] is True
    assert "limits" not in ending


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOENT, "x"), OSError("x")])
def test_another_error_is_not_about_memory(error):
    assert not describe_error(error, "full").keys() & {"is_memory", "limits"}


@pytest.mark.skipif(not are_signals_seen(), reason="the compiled module is not here")
def test_a_signal_that_the_program_does_not_handle_is_kept_with_its_moment(tmp_path):
    status, ending, ended = end(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)\n")

    assert status == -signal.SIGTERM
    assert (ending["how"], ending["signal"]) == ("signal", "SIGTERM")
    assert ended is not None


def test_a_kill_leaves_no_word_until_somebody_finds_the_process_gone(tmp_path):
    status, ending, ended = end(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)\n")

    assert status == -signal.SIGKILL
    assert ending is None
    compact_ledger(tmp_path / "ledger")
    run = open_ledger(tmp_path / "ledger").runs.iloc[0]
    assert (run["ending"]["how"], run["ending"]["seen_by"]) == ("gone", "outside")
    assert run["ended"] is ended  # when it was killed is not known


@pytest.mark.slow
def test_the_next_start_finds_the_last_one_gone(tmp_path):
    end(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)\n")
    end(tmp_path, "")
    endings = open_ledger(tmp_path / "ledger").runs["ending"].tolist()

    assert [ending["how"] for ending in endings] == ["gone", "returned"]


@pytest.mark.parametrize(("source", "code"), [("", None), ("sys.exit(3)\n", None)])
def test_a_program_that_ends_in_order_returned(tmp_path, source, code):
    _, ending, ended = end(tmp_path, source)

    assert ending == {"how": "returned", "seen_by": "program"}
    assert ended is not None


def test_an_exception_that_was_printed_on_the_way_is_no_end(tmp_path):
    """C code prints what its callbacks raise, and leaves it in ``sys.last_value`` as well."""
    source = """
try:
    1 / 0
except ZeroDivisionError as error:
    sys.last_value = sys.last_exc = error.with_traceback(None)
"""

    assert end(tmp_path, source)[1]["how"] == "returned"


@pytest.mark.slow
def test_a_worker_that_raises_says_so(tmp_path):
    source = """
import multiprocessing, time
def work():
    time.sleep(1)
    raise LookupError("lost")
if __name__ == "__main__":
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(40)
"""
    (tmp_path / "program.py").write_text(source)
    command = [sys.executable, "-m", "memanalysis", "run", "--interval", "0.1", "--ledger", "ledger", "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        (tmp_path / "errors").open("w") as errors,
        running(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=errors)) as process,
    ):
        process.wait(60)
    runs = open_ledger(tmp_path / "ledger").runs
    worker = runs[runs["pid"] != runs["program_pid"]].iloc[0]
    printed = (tmp_path / "errors").read_text()

    assert worker["ending"]["exception"]["type"] == "LookupError"
    assert worker["ending"]["exception"]["line"] == 5
    assert printed.count("Traceback (most recent call last)") == printed.count("LookupError: lost") == 1
    assert "worker_error" not in printed
    assert runs[runs["pid"] == runs["program_pid"]].iloc[0]["ending"]["how"] == "returned"


@pytest.mark.slow
def test_a_block_that_is_left_by_an_exception_says_so(tmp_path):
    with pytest.raises(ValueError, match="odd"), watch("api", ledger=tmp_path / "ledger", seal=False):
        raise ValueError("odd")
    with watch("api", ledger=tmp_path / "ledger", seal=False):
        pass

    endings = open_ledger(tmp_path / "ledger").runs["ending"].tolist()
    assert sorted(ending["how"] for ending in endings) == ["exception", "stopped"]


def test_the_exit_code_is_kept_where_it_is_seen():
    assert describe_error(SystemExit(3), "redacted")["exit_code"] == 3
    assert describe_error(SystemExit("no"), "redacted")["exit_code"] == 1
    assert describe_error(SystemExit(), "redacted")["exit_code"] == 0


def test_without_arguments_the_text_of_an_exception_is_not_kept_either():
    assert "message" not in describe_error(ValueError("x"), "none")["exception"]
    assert describe_error(ValueError("token=x"), "full")["exception"]["message"] == "token=x"


def test_where_nothing_limits_the_process_no_limit_is_given():
    import resource

    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        pytest.skip("the tests run under a limit")
    assert "address_space_bytes" not in read_limits()
