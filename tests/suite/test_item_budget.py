"""Where is the code of a test when its budget is over: in the test, or already in pytest's own code?"""

import sys
from collections.abc import Callable
from types import FunctionType

import _pytest.python
import pluggy._callers
import pytest

from memanalysis.suite.item_budget import limit_item
from memanalysis.units import GIB
from memanalysis.watcher.budget_guard import guard

PYTEST_FILES = (_pytest.python.__file__, pluggy._callers.__file__)


def is_interrupted(*files: str) -> bool:
    """Whether a test over its budget is interrupted where code of these files runs, the outermost first."""
    found: list[bool] = []

    def ask() -> None:
        found.append(guard._blocks[-1].may_interrupt(sys._getframe(1)))

    call: Callable[[], None] = ask
    for file in reversed(files):
        call = FunctionType(compile("ask()", file, "exec"), {"ask": call})
    with limit_item(100 * GIB, sys._getframe()):
        call()
    return found[0]


@pytest.mark.parametrize("files", [PYTEST_FILES[:1], PYTEST_FILES[1:], PYTEST_FILES])
def test_what_pytest_does_after_a_test_is_not_interrupted(files: tuple[str, ...]):
    assert not is_interrupted(*files)


def test_a_test_is_interrupted_also_where_it_calls_pytest():
    assert is_interrupted(*PYTEST_FILES, "test_app.py")
    assert is_interrupted(*PYTEST_FILES, "test_app.py", *PYTEST_FILES)
