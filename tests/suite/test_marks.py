"""Tests that are marked with ``no_leak`` and ``memory_budget`` run in a real pytest, leaky ones and clean ones."""

from pathlib import Path

import pytest
from needs import needs_sampler
from nested_pytest import NestedRun, run_suite

LEAKS = {
    "test_keeps_objects": "app.Session",
    "test_keeps_bytes": "leaks.CACHE -> dict",
    "test_by_parameter[2]": "app.SESSIONS",
    "TestInClass.test_keeps_in_a_class_fixture": "leaks.py",
    "TestOfUnittest.test_keeps_in_unittest": "app.SESSIONS",
    "test_keeps_what_is_awaited[asyncio]": "app.SESSIONS",
    "test_keeps_in_a_fixture": "app.SESSIONS",
}
"""Tests that leak, and what their messages name."""

APP = """
SESSIONS = []
class Session:
    def __init__(self):
        self.data = bytes(2000)
def log_in():
    SESSIONS.append(Session())
"""

LEAKY = """
import unittest
import app, pytest
CACHE = {}
pytestmark = pytest.mark.no_leak
def test_keeps_objects():
    app.log_in()
def test_keeps_bytes(tmp_path):
    CACHE[len(CACHE)] = bytes(1000)
@pytest.mark.parametrize("n", [1, 2])
def test_by_parameter(n):
    if n == 2:
        app.log_in()
class TestInClass:
    @pytest.fixture(scope="class")
    def rows(self):
        return []
    def test_keeps_in_a_class_fixture(self, rows):
        rows.append(bytes(300))
class TestOfUnittest(unittest.TestCase):
    def test_keeps_in_unittest(self):
        app.log_in()
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_keeps_what_is_awaited(anyio_backend):
    app.log_in()
@pytest.fixture
def logged_in():
    app.log_in()
    yield
def test_keeps_in_a_fixture(logged_in):
    pass
"""

CLEAN = """
import asyncio, collections, functools, gc, logging, unittest, warnings
import pytest
pytestmark = pytest.mark.no_leak
SEEN = collections.deque(maxlen=1000)
LAST = None
log = logging.getLogger("clean")
@functools.cache
def load(n):
    return bytes(n)
@functools.lru_cache(maxsize=1000)
def load_bounded(n):
    return bytes(500)
class Node:
    pass
def test_fills_a_cache_once():
    load(10_000)
def test_fills_a_cache_with_a_bound():
    load_bounded(load_bounded.cache_info().currsize)
def test_fills_a_deque_with_a_bound():
    SEEN.append(bytes(400))
def test_replaces_the_last_one():
    global LAST
    LAST = bytes(5000)
def test_logs_warns_and_prints(caplog, capsys, tmp_path, record_property, monkeypatch):
    log.warning("x" * 1000)
    warnings.warn("y" * 1000)
    print("z" * 1000)
    record_property("name", "v" * 1000)
def test_makes_cycles():
    node = Node()
    node.me, node.data = node, bytes(1000)
class TestState:
    def test_has_an_instance_of_its_own(self):
        assert not hasattr(self, "data")
        self.data = bytes(10_000)
class TestOfUnittest(unittest.TestCase):
    def setUp(self):
        self.data = bytes(10_000)
    def test_sets_up(self):
        with self.assertRaises(ValueError):
            raise ValueError(self.data)
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_awaits(anyio_backend):
    await asyncio.sleep(0)
@pytest.fixture(scope="module")
def module_state():
    made = []
    yield made
    assert len(made) > 1
def test_uses_a_module_fixture(module_state):
    module_state.append(None)
    del module_state[2:]
@pytest.mark.xfail
def test_fails_as_expected():
    assert False
@pytest.mark.skip
def test_is_skipped():
    pass
"""

REFUSED = """
import pytest
from hypothesis import given, strategies
RAN = []
@pytest.mark.no_leak
def test_passes_once():
    RAN.append(1)
    assert len(RAN) == 1
@pytest.mark.no_leak(repeat=2)
def test_asks_for_too_few_runs():
    pass
@pytest.mark.no_leak
@given(strategies.integers())
def test_draws_examples(n):
    pass
@pytest.mark.no_leak
def test_turns_tracing_off():
    import tracemalloc
    tracemalloc.stop()
@pytest.mark.no_leak
def test_has_subtests(request):
    item = request.node
    from _pytest.reports import TestReport
    report = TestReport(item.nodeid, item.location, {}, "passed", None, "call")
    item.ihook.pytest_runtest_logreport(report=report)
"""


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> NestedRun:
    return run_suite(tmp_path_factory.mktemp("leaky"), "leaks.py", app=APP, leaks=LEAKY)


@pytest.mark.slow
def test_each_test_that_leaks_fails_and_the_others_pass(leaky: NestedRun):
    assert leaky.count("failed") == len(LEAKS), leaky.output
    assert leaky.count("passed") == 1, leaky.output


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAKS)
def test_the_failure_names_bytes_line_and_holder(leaky: NestedRun, name: str):
    text = leaky.section(name)

    assert "A leak: each run of the test keeps" in text
    assert LEAKS[name] in text
    assert "app.py:5 in Session.__init__" in text or "leaks.py:" in text


@pytest.mark.slow
def test_what_is_no_leak_passes(tmp_path: Path):
    """Caches that fill, pytest's records, cycles, and state of fixtures and classes are not what a test leaks."""
    done = run_suite(tmp_path, "-W", "default", "clean.py", clean=CLEAN)

    assert done.code == 0, done.output
    assert (done.count("passed"), done.count("skipped"), done.count("xfailed")) == (10, 1, 1), done.output
    assert done.count("warning") == 1, done.output


@pytest.mark.slow
def test_a_test_that_cannot_be_checked_fails_with_the_reason(tmp_path: Path):
    done = run_suite(tmp_path, "refused.py", refused=REFUSED)

    assert done.count("failed") == 5, done.output
    assert "its subtests would be reported again" in done.section("test_has_subtests")
    assert "run 2 of it did not pass: assert 2 == 1" in done.section("test_passes_once")
    assert "repeat= of at least 4" in done.section("test_asks_for_too_few_runs")
    assert "Hypothesis draws other examples" in done.section("test_draws_examples")
    assert "the test turns tracemalloc off" in done.section("test_turns_tracing_off")


BUDGETS = """
import pytest
@pytest.mark.memory_budget("30 MiB")
def test_holds_too_much():
    rows = []
    for n in range(200):
        rows.append(b"x" * 2**20)
@pytest.mark.memory_budget("30 MiB")
def test_is_high_for_a_moment():
    text = b"x" * (60 * 2**20)
    del text
@pytest.mark.memory_budget("30 MiB")
def test_stays_below():
    rows = [b"x" * 2**20 for n in range(5)]
@pytest.mark.memory_budget
def test_has_no_limit():
    pass
"""


@needs_sampler
def test_a_test_over_its_budget_fails_with_the_line(tmp_path: Path):
    done = run_suite(tmp_path, "budgets.py", budgets=BUDGETS)

    assert (done.count("failed"), done.count("passed")) == (3, 1), done.output
    assert "memory budget" in done.section("test_holds_too_much")
    assert "30.0 MiB" in done.section("test_holds_too_much")
    assert "budgets.py:" in done.section("test_holds_too_much")
    assert "30.0 MiB" in done.section("test_is_high_for_a_moment")
    assert 'memory_budget("50 MiB")' in done.section("test_has_no_limit")
