"""The plugin for pytest over the suites of released packages: false alarms, and what it costs.

``python -m benchmarks pytest_suites`` builds a wheel of this checkout, downloads the source of each package from the
index, installs both in an environment of its own, and runs the package's suite unchanged: by itself, and with
``--memwatch-repeat 5``. A test that fails under the plugin alone is a false alarm, until somebody shows that it leaks.
A run that pytest ended early, or that the plugin did not measure, is no suite without alarms: its row has the reason.
Times are of the processor, of all processes of a suite. ``MEMANALYSIS_SUITES`` names some packages.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import print_table

__all__ = ["SUITES", "Suite", "SuiteRun", "main", "run_suite"]

ROOT = Path(__file__).parents[1]
REPEATS = 5
TIMEOUT_S = 1800.0

RAN = (0, 1)
"""Exit codes of a pytest that ran tests: all passed, or some failed. Others are a usage error or a crash."""

ALONE = ("-p", "no:memwatch")
WATCHED = (f"--memwatch-repeat={REPEATS}",)

_OUTCOME = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_COUNT = re.compile(r"(\d+) passed")
_MEASURED = re.compile(r"^[\d,]+ tests? measured", re.MULTILINE)
_REPEATED = re.compile(r"^([\d,]+) of them ran again", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Suite:
    """One package: what its suite needs, and where it is in the source."""

    requirement: str
    tests: str
    needs: tuple[str, ...] = ()


SUITES = (
    Suite("idna==3.10", "tests"),
    Suite("more-itertools==10.5.0", "tests"),
    Suite("toolz==1.0.0", "toolz"),
    Suite("pluggy==1.5.0", "testing"),
    Suite("attrs==24.2.0", "tests", ("hypothesis", "cloudpickle")),
    Suite("packaging==24.2", "tests", ("pretend",)),
    Suite("tomlkit==0.13.2", "tests"),
    Suite("markupsafe==3.0.2", "tests"),
    Suite("itsdangerous==2.2.0", "tests", ("freezegun",)),
    Suite("networkx==3.4.2", "networkx"),
)
"""Pure functions and text, collections, hooks, generated classes, parsers, a C extension, clocks, and many graphs."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of a suite; ``problem`` is the reason why it is none, and None where it is one."""

    passed: int
    failed: frozenset[str]
    repeated: int
    spent_s: float
    problem: str | None


def main() -> None:
    """Run the suites, and print a row each."""
    wanted = os.environ.get("MEMANALYSIS_SUITES", "").split()
    rows = []
    with tempfile.TemporaryDirectory() as build:
        wheel = build_wheel(Path(build))
        for suite in SUITES:
            if not wanted or suite.requirement.split("==")[0] in wanted:
                with tempfile.TemporaryDirectory() as place:
                    rows.append(judge(suite, Path(place), wheel))
                print(*rows[-1], sep=" | ", flush=True)  # all of them take some minutes
    print_table(
        f"Suites of released packages, up to {REPEATS} repeats",
        ["package", "tests", "failed alone", "repeated", "false alarms", "processor time", "what failed"],
        rows,
    )


def build_wheel(folder: Path) -> Path:
    """Build a wheel of this checkout, from a copy: the environments must not see its metadata nor its modules."""
    left_out = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    for name in ("memanalysis", "config"):
        shutil.copytree(ROOT / name, folder / "checkout" / name, ignore=left_out)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "checkout")
    _run([sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir=.", "./checkout"], folder)
    (wheel,) = folder.glob("memanalysis-*.whl")
    return wheel


def judge(suite: Suite, folder: Path, wheel: Path) -> list[str]:
    """Run one suite by itself and with the plugin, and return its row."""
    python = folder / "environment" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        _run([sys.executable, "-m", "venv", str(folder / "environment")], folder)
        _run([*pip, "install", suite.requirement, str(wheel), "pytest>=8", *suite.needs], folder)
        _run([*pip, "download", "--no-deps", "--no-binary=:all:", suite.requirement, "--dest=source"], folder)
        (archive,) = (folder / "source").glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "source", filter="data")
    except (subprocess.CalledProcessError, ValueError) as exc:
        return _make_empty_row(suite, f"could not be installed: {exc}")
    (source,) = (path for path in (folder / "source").iterdir() if path.is_dir())
    alone = run_suite(python, source, suite.tests, is_watched=False)
    if alone.problem is not None:
        return _make_empty_row(suite, f"did not run by itself: {alone.problem}")
    watched = run_suite(python, source, suite.tests, is_watched=True)
    if watched.problem is not None:
        return _make_empty_row(suite, f"did not run with the plugin: {watched.problem}")
    alarms = sorted(watched.failed - alone.failed)
    return [
        suite.requirement,
        f"{alone.passed:,}",
        str(len(alone.failed)),
        str(watched.repeated),
        str(len(alarms)),
        f"{watched.spent_s / alone.spent_s:.2f} times {alone.spent_s:.1f} s",
        ", ".join(alarms)[:100],
    ]


def run_suite(python: Path, source: Path, tests: str, *, is_watched: bool) -> SuiteRun:
    """Run the tests of a folder once, in an environment that has the plugin installed."""
    options = WATCHED if is_watched else ALONE
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            [str(python), "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *options, tests],
            cwd=source,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return SuiteRun(0, frozenset(), 0, TIMEOUT_S, f"it had not ended after {TIMEOUT_S:.0f} s")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count, repeated = _COUNT.search(done.stdout), _REPEATED.search(done.stdout)
    return SuiteRun(
        passed=0 if count is None else int(count[1]),
        failed=frozenset(_OUTCOME.findall(done.stdout)),
        repeated=0 if repeated is None else int(repeated[1].replace(",", "")),
        spent_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        problem=_find_problem(done, is_watched=is_watched),
    )


def _find_problem(done: subprocess.CompletedProcess[str], *, is_watched: bool) -> str | None:
    """Why a run of pytest is none of the suite; None where it is one."""
    if done.returncode not in RAN:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "rror" in line]
        return f"exit code {done.returncode}: {(errors or lines or ['no output'])[-1].strip()}"
    if _COUNT.search(done.stdout) is None:
        return "no test passed"
    if is_watched and _MEASURED.search(done.stdout) is None:
        return "the plugin printed no summary"
    return None


def _make_empty_row(suite: Suite, problem: str) -> list[str]:
    return [suite.requirement, "", "", "", "", "", problem[:200]]


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
