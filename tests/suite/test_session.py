"""``pytest --memwatch`` over suites that know nothing of it: figures, ledger, workers, and what it loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nested_pytest import run_suite

from memanalysis import open_ledger

pytestmark = pytest.mark.slow

MIB = 2**20

SUITE = """
import pytest
KEPT = []
def test_peaks():
    rows = [b"x" * 2**20 for n in range(40)]
def test_keeps():
    KEPT.append(b"x" * (20 * 2**20))
def test_is_small():
    pass
@pytest.mark.skip
def test_is_skipped():
    pass
def test_fails():
    assert KEPT == 1
"""

ALL = {"test_peaks", "test_keeps", "test_is_small", "test_is_skipped", "test_fails"}

NEVER_ASKED = """
import sys
def test_nothing_is_loaded():
    loaded = sorted(name for name in sys.modules if name.startswith("memanalysis"))
    assert loaded == ["memanalysis", "memanalysis._version", "memanalysis.pytest_plugin"], loaded
"""

GROWS = """
KEPT = []
STATE = {}
def test_leaks():
    KEPT.append([bytes(100) for _ in range(1000)])
def test_fills_a_cache():
    STATE["cache"] = [bytes(100) for _ in range(1000)]
def test_works_once():
    assert "ran" not in STATE
    STATE["ran"] = [bytes(100) for _ in range(1000)]
"""


def read_tests(ledger: Path) -> dict[str, dict[str, object]]:
    """Return what the ledger has of each test, by its name."""
    events = open_ledger(ledger).read("events")
    rows = [json.loads(data) if isinstance(data, str) else data for data in events[events["kind"] == "test"]["data"]]
    return {str(row["test"]).partition("::")[2]: row for row in rows}


def test_without_being_asked_it_loads_itself_alone(tmp_path: Path):
    done = run_suite(tmp_path, "never_asked.py", never_asked=NEVER_ASKED)

    assert done.code == 0, done.output
    assert "memory" not in done.output


def test_every_test_has_its_figures_in_the_ledger(tmp_path: Path):
    done = run_suite(tmp_path, "--memwatch-ledger", "ledger", "figures.py", figures=SUITE)
    tests = read_tests(tmp_path / "suite" / "ledger")

    assert (done.count("passed"), done.count("failed"), done.count("skipped")) == (3, 1, 1), done.output
    assert set(tests) == ALL
    assert {name: row["outcome"] for name, row in tests.items() if row["outcome"] != "passed"} == {
        "test_fails": "failed",
        "test_is_skipped": "skipped",
    }
    peaks, keeps = tests["test_peaks"], tests["test_keeps"]
    if sys.platform == "linux":
        assert peaks["peak_bytes"] - peaks["start_bytes"] == pytest.approx(40 * MIB, rel=0.2)
        assert peaks["end_bytes"] - peaks["start_bytes"] < 10 * MIB
    if keeps["engine"] == "sampled":
        assert keeps["retained_bytes"] == pytest.approx(20 * MIB, rel=0.05)
        assert peaks["retained_bytes"] < MIB
        assert peaks["peak_line"] == "figures.py:5"
    samples = open_ledger(tmp_path / "suite" / "ledger").read("samples")
    assert len(samples) == len(ALL)
    assert "figures.py::test_keeps" in done.output


def test_workers_of_xdist_record_each_and_one_summary_is_printed(tmp_path: Path):
    done = run_suite(tmp_path, "-n", "2", "--memwatch-ledger", "ledger", "workers.py", workers=SUITE)
    ledger = tmp_path / "suite" / "ledger"
    tests = read_tests(ledger)

    assert set(tests) == ALL, done.output
    assert {row["worker"] for row in tests.values()} <= {"gw0", "gw1"}
    runs = open_ledger(ledger).read("runs")
    assert set(runs["service"]) == {"suite"}
    assert runs["ended"].notna().all()
    assert done.output.count("5 tests measured") == 1, done.output


def test_a_suite_is_checked_for_leaks_where_a_run_keeps_much(tmp_path: Path):
    """The test that leaks fails; the one that fills a cache and the one that works once only pass as before."""
    done = run_suite(tmp_path, "--memwatch-repeat=5", "grows.py", grows=GROWS)

    assert (done.count("passed"), done.count("failed")) == (2, 1), done.output
    assert "grows.py:5 in test_leaks" in done.section("test_leaks")
    assert "grows.KEPT -> list" in done.section("test_leaks")
    assert "not checked for leaks: 1, because run 2 of it did not pass" in done.output


NO_TIME_LEFT = """
from memanalysis.suite import check_allowance
check_allowance.MIN_ALLOWED_S = check_allowance.MAX_SHARE = 0.0
"""


def test_tests_that_no_time_is_left_for_are_counted(tmp_path: Path):
    """Marked ones are checked all the same, and those that keep little needed no check."""
    marked = (
        "import pytest\nfrom grows import *\ntest_leaks = pytest.mark.no_leak(test_leaks)\ndef test_little(): pass\n"
    )
    done = run_suite(tmp_path, "--memwatch-repeat=5", "marked.py", grows=GROWS, marked=marked, conftest=NO_TIME_LEFT)

    assert (done.count("passed"), done.count("failed")) == (3, 1), done.output
    assert "A leak: each run of the test keeps" in done.section("test_leaks")
    assert "not checked for leaks: 2, because all checks together may take" in done.output


def test_too_few_repeats_are_a_usage_error(tmp_path: Path):
    done = run_suite(tmp_path, "--memwatch-repeat=1", "nothing.py", nothing="")

    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "--memwatch-repeat needs at least 4 runs, but got 1" in done.output


FIXTURE = """
KEPT = []
def test_a_part(memwatch):
    with memwatch.measure() as part:
        KEPT.append(b"x" * (16 * 2**20))
    assert part.retained_bytes is None or 15 * 2**20 < part.retained_bytes < 18 * 2**20
    assert part.rise_bytes > 12 * 2**20
def test_a_call(memwatch):
    memwatch.find_leak(lambda: KEPT.append(bytes(1000)), max_calls=100, max_s=2)
"""


def test_the_fixture_measures_a_part_of_a_test_and_a_call(tmp_path: Path):
    done = run_suite(tmp_path, "parts.py", parts=FIXTURE)

    assert (done.count("passed"), done.count("failed")) == (1, 1), done.output
    assert "LeakFoundError" in done.section("test_a_call")


def test_importing_the_plugin_loads_nothing_that_pytest_has_not():
    code = (
        "import pytest, sys; before = set(sys.modules); import memanalysis.pytest_plugin; "
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('memanalysis')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
