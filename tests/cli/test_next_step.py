"""``memanalysis run`` ends with the next step, where a person sees it and somebody is left to show it."""

import signal
import sys
from pathlib import Path

import pytest
from pseudo_terminal import run_in_terminal

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="programs are supervised on Linux")]


def test_on_a_terminal_the_program_ends_with_the_next_step_and_its_children_do_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "program.py").write_text(
        "import os, sys\n"
        "child = os.fork()\n"
        "if child:\n"
        "    os.waitpid(child, 0)\n"
        "print('at its end')\n"
        "sys.exit(3 if child else 0)\n"
    )
    done = run_in_terminal("run", "program.py")

    assert (done.code, done.output.count("at its end")) == (3, 2)
    assert done.errors.splitlines() == ["memanalysis: next: memanalysis report memanalysis-ledger"]


@pytest.mark.parametrize(
    ("signal_name", "options", "is_shown"),
    [("SIGINT", [], True), ("SIGINT", ["--supervise"], True), ("SIGKILL", ["--supervise"], True),
     ("SIGTERM", ["--supervise"], True), ("SIGTERM", [], False)],
)  # fmt: skip
def test_the_next_step_is_shown_once_after_a_signal_where_somebody_is_left(
    tmp_path, monkeypatch, signal_name, options, is_shown
):
    """Python runs on after Ctrl-C, and the process that supervises after any signal; after others nobody is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "program.py").write_text(f"import os, signal\nos.kill(os.getpid(), signal.{signal_name})\n")
    done = run_in_terminal("run", *options, "program.py")

    assert done.code == -getattr(signal, signal_name)
    assert done.errors.count("memanalysis: next: memanalysis report memanalysis-ledger\n") == is_shown
