"""Hooks that a program registered for forks are found, those of the standard library do not count."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="this system does not fork")

OF_MAIN = "the program has hooks for forks (of __main__)"
UNKNOWN = "it is not known whether the program has hooks for forks"


def ask(source: str) -> str:
    code = f"{source}\nfrom memanalysis.capture.fork_hooks import find_fork_hooks\nprint(find_fork_hooks())\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.strip()


def test_the_standard_librarys_own_hooks_and_ours_do_not_count() -> None:
    source = "import asyncio, concurrent.futures.thread, logging, multiprocessing, random, threading, uuid, memanalysis"

    assert ask(source + "\nfrom memanalysis.watcher import joining, recorder") == "None"


@pytest.mark.parametrize("when", ["before", "after_in_parent", "after_in_child"])
@pytest.mark.parametrize(
    "hook", ["lambda: None", "Pool().renew", "functools.partial(print, 1)", "threading.Event().set"]
)
def test_hooks_of_the_program_are_found(when: str, hook: str) -> None:
    source = "import functools, os, threading\nclass Pool:\n    def renew(self): ..."

    assert ask(f"{source}\nos.register_at_fork({when}={hook})").startswith("the program has hooks for forks (of ")


def test_a_hook_that_is_registered_later_is_found() -> None:
    source = "import os\nfrom memanalysis.capture import fork_hooks\nassert fork_hooks.find_fork_hooks() is None"

    assert ask(f"{source}\nos.register_at_fork(before=lambda: None)") == OF_MAIN


def test_what_is_frozen_out_of_sight_is_unknown() -> None:
    source = "import gc\nfrom memanalysis.capture import fork_hooks\ngc.freeze()"

    assert ask(source) == UNKNOWN
