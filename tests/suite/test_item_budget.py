"""Where is the code of a test when its budget is over: in the test, or already in pytest's own code?"""

import contextlib
import linecache
import sys
import traceback
from collections.abc import Callable
from types import FunctionType

import _pytest.python
import numpy
import pluggy._callers
import pytest

from memanalysis.suite.item_budget import limit_item
from memanalysis.units import GIB
from memanalysis.watcher.budget_guard import guard

PYTEST_FILE, PLUGGY_FILE = _pytest.python.__file__, pluggy._callers.__file__
TEST_FILE = "/app/tests/test_app.py"


def is_interrupted(*files: str, test_file: str = TEST_FILE) -> bool:
    """Whether a test over its budget is interrupted where code of these files runs, the outermost first."""
    found: list[bool] = []

    def ask() -> None:
        found.append(guard._blocks[-1].may_interrupt(sys._getframe(1)))

    call: Callable[[], None] = ask
    for file in reversed(files):
        call = FunctionType(compile("ask()", file, "exec"), {"ask": call})
    with limit_item(100 * GIB, sys._getframe(), file=test_file):
        call()
    return found[0]


@pytest.mark.parametrize(
    "files",
    [
        (PYTEST_FILE,),
        (PLUGGY_FILE,),
        (PLUGGY_FILE, PYTEST_FILE),
        (contextlib.__file__,),
        (PLUGGY_FILE, contextlib.__file__),
        (PLUGGY_FILE, traceback.__file__, linecache.__file__),
        (PYTEST_FILE, "<string>"),
        (PYTEST_FILE, numpy.__file__),
    ],
)
def test_what_pytest_does_after_a_test_is_not_interrupted(files: tuple[str, ...]):
    assert not is_interrupted(*files)


@pytest.mark.parametrize(
    "files",
    [
        (PLUGGY_FILE, PYTEST_FILE, TEST_FILE),
        (PYTEST_FILE, TEST_FILE, contextlib.__file__),
        (PYTEST_FILE, TEST_FILE, PLUGGY_FILE, PYTEST_FILE),
        (PYTEST_FILE, contextlib.__file__, "/app/app.py", numpy.__file__),
        (PYTEST_FILE, "<doctest app.load[0]>"),
    ],
)
def test_a_test_is_interrupted_also_where_it_calls_a_library(files: tuple[str, ...]):
    assert is_interrupted(*files)


def test_a_test_of_an_installed_package_is_interrupted():
    file = numpy.__file__.replace("__init__", "test_array")
    assert is_interrupted(PYTEST_FILE, file, test_file=file)
