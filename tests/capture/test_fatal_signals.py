"""The signal that ends a process is noted in a line, and ends it as it would have."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from memanalysis.capture.fatal_signals import are_signals_seen
from tests.processes import running

pytestmark = pytest.mark.skipif(not are_signals_seen(), reason="its compiled module is not here")

ARMS = """
import os, signal, sys
from memanalysis._descriptors import OwnDescriptor
from memanalysis.capture.fatal_signals import arm_signals
path = os.path.abspath("run.jsonl")
open(path, "w").close()
armed = arm_signals(path, OwnDescriptor(os.open(path, os.O_RDONLY)), b'{"run_id":"r"')
"""
SIGNALS = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")


def run(tmp_path, source, *, before=""):
    """Return the exit status of a program that arms and then runs the source, and the lines that were written."""
    command = [
        sys.executable,
        "-c",
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + before + ARMS + source,
    ]
    with running(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)) as process:
        out = process.communicate(timeout=60)[0]
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    return process.returncode, [json.loads(line) for line in lines], out


@pytest.mark.parametrize("name", SIGNALS)
def test_each_signal_is_noted_and_is_the_exit_status(tmp_path, name):
    status, lines, _ = run(tmp_path, f"print(os.getpid(), flush=True); os.kill(os.getpid(), signal.{name})")

    assert status == -getattr(signal, name)
    assert [(line["run_id"], line["ending"]["how"], line["ending"]["signal"]) for line in lines] == [
        ("r", "signal", name)
    ]


def test_the_moment_and_the_sender_are_noted(tmp_path):
    _, lines, out = run(tmp_path, "print(os.getpid(), flush=True); os.kill(os.getpid(), signal.SIGTERM)")

    assert abs(datetime.fromisoformat(lines[0]["ended"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert lines[0]["ended"].endswith("Z")
    assert lines[0]["ending"]["sender_pid"] == int(out)


def test_a_crash_of_native_code_is_noted(tmp_path):
    status, lines, _ = run(tmp_path, "import ctypes; ctypes.string_at(0)")

    assert status == -signal.SIGSEGV
    assert lines[0]["ending"] == {"how": "signal", "seen_by": "handler", "signal": "SIGSEGV"}


def test_python_still_says_that_the_default_action_is_set(tmp_path):
    _, _, out = run(tmp_path, "print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)")

    assert out == "True\n"


def test_a_handler_that_the_program_sets_later_replaces_ours(tmp_path):
    source = "signal.signal(signal.SIGTERM, lambda *_: print('own')); os.kill(os.getpid(), signal.SIGTERM)"

    assert run(tmp_path, source) == (0, [], "own\n")


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: None"])
def test_what_the_program_ignores_or_handles_already_is_left_alone(tmp_path, handler):
    before = f"import signal; signal.signal(signal.SIGHUP, {handler})\n"
    source = "os.kill(os.getpid(), signal.SIGHUP); print('SIGHUP' in armed.names, 'SIGTERM' in armed.names)"

    assert run(tmp_path, source, before=before) == (0, [], "False True\n")


def test_a_forked_child_that_is_ended_writes_nothing_into_its_parents_file(tmp_path):
    source = """
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGTERM)
print(os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM)
"""
    assert run(tmp_path, source) == (0, [], "True\n")


def test_disarmed_the_signals_are_as_they_were(tmp_path):
    source = """
armed.disarm()
caught = open("/proc/self/status").read().partition("SigCgt:")[2].split()[0]
print(int(caught, 16) >> signal.SIGTERM - 1 & 1, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""
    status, lines, out = run(tmp_path, source)

    assert (status, lines, out) == (-signal.SIGTERM, [], "0\n")


def test_another_file_at_the_path_is_left_alone(tmp_path):
    source = "os.rename(path, path + '.old'); open(path, 'w').close(); os.kill(os.getpid(), signal.SIGTERM)"

    assert run(tmp_path, source)[:2] == (-signal.SIGTERM, [])
    assert (tmp_path / "run.jsonl.old").stat().st_size == 0


def test_a_daemonised_program_is_noted_with_its_descriptors_closed(tmp_path):
    """The file is opened by its path, so it does not matter that the program closed what it found open."""
    _, lines, _ = run(tmp_path, "os.closerange(3, 4096); os.kill(os.getpid(), signal.SIGTERM)")

    assert lines[0]["ending"]["signal"] == "SIGTERM"
