"""The benchmark ``pytest_suites``: a suite that did not run, or was not measured, is not one without false alarms."""

import sys
from pathlib import Path

import pytest

from benchmarks.pytest_suites import SuiteRun, run_suite

pytestmark = pytest.mark.slow

TESTS = """
KEPT = []
def test_keeps():
    KEPT.append([bytes(100) for _ in range(1000)])
def test_passes():
    pass
"""

UNREGISTERS = """
def pytest_collection_finish(session):
    session.config.pluginmanager.unregister(name="memanalysis.suite")
"""


def run(folder: Path, *, is_watched: bool, **files: str) -> SuiteRun:
    for name, text in {"pytest": "[pytest]", **files}.items():
        (folder / {"pytest": "pytest.ini"}.get(name, f"{name}.py")).write_text(text)
    return run_suite(Path(sys.executable), folder, "test_app.py", is_watched=is_watched)


def test_a_suite_that_ran_has_its_figures(tmp_path: Path):
    alone = run(tmp_path, is_watched=False, test_app=TESTS)
    watched = run(tmp_path, is_watched=True, test_app=TESTS)

    assert (alone.passed, alone.failed, alone.repeated, alone.problem) == (2, frozenset(), 0, None)
    assert (watched.passed, watched.failed, watched.problem) == (1, frozenset({"test_app.py::test_keeps"}), None)
    assert watched.repeated == 1
    assert alone.spent_s > 0


def test_a_suite_that_did_not_run_says_why(tmp_path: Path):
    done = run(tmp_path, is_watched=True, test_app=TESTS, pytest="[pytest]\naddopts = --no-such-option")

    assert done.problem is not None
    assert done.problem.startswith("exit code 4: ")
    assert "--no-such-option" in done.problem


def test_a_suite_that_the_plugin_did_not_measure_says_so(tmp_path: Path):
    done = run(tmp_path, is_watched=True, test_app=TESTS, conftest=UNREGISTERS)

    assert done.problem == "the plugin printed no summary"
