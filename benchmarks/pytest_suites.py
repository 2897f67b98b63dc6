"""The plugin for pytest over the suites of released packages: false alarms, and what it costs.

``python -m benchmarks pytest_suites`` downloads the source of each package from the index, installs it in an
environment of its own, and runs its suite unchanged: by itself, and with ``--memwatch-repeat 5``. A test that fails
under the plugin alone is a false alarm, until somebody shows that it leaks. Times are of the processor, of all
processes of a suite. ``MEMANALYSIS_SUITES`` names some packages.
"""

import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import print_table

__all__ = ["SUITES", "Suite", "main"]

ROOT = Path(__file__).parents[1]
REPEATS = 5
TIMEOUT_S = 1800.0
NEEDS = ("click", "fsspec", "jinja2", "msgspec", "numpy", "pandas", "psutil", "pyarrow", "pytest>=8", "pyyaml", "rich")
"""What the plugin needs, beside the package."""

_OUTCOME = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_COUNT = re.compile(r"(\d+) passed")


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


def main() -> None:
    """Run the suites, and print a row each."""
    wanted = os.environ.get("MEMANALYSIS_SUITES", "").split()
    rows = []
    for suite in SUITES:
        if not wanted or suite.requirement.split("==")[0] in wanted:
            with tempfile.TemporaryDirectory() as place:
                rows.append(judge(suite, Path(place)))
            print(*rows[-1], sep=" | ", flush=True)  # all of them take some minutes
    print_table(
        f"Suites of released packages, up to {REPEATS} repeats",
        ["package", "tests", "failed alone", "false alarms", "processor time", "what failed"],
        rows,
    )


def judge(suite: Suite, folder: Path) -> list[str]:
    """Run one suite by itself and with the plugin, and return its row."""
    python = folder / "environment" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        _run([sys.executable, "-m", "venv", str(folder / "environment")], folder)
        _run([*pip, "install", suite.requirement, *NEEDS, *suite.needs], folder)
        _run([*pip, "download", "--no-deps", "--no-binary=:all:", suite.requirement, "--dest=source"], folder)
        (archive,) = (folder / "source").glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "source", filter="data")
    except (subprocess.CalledProcessError, ValueError) as exc:
        return [suite.requirement, "", "", "", "", f"could not be installed: {exc}"[:100]]
    (source,) = (path for path in (folder / "source").iterdir() if path.is_dir())
    runs = []
    for options in ([], ["-p", "memanalysis.pytest_plugin", f"--memwatch-repeat={REPEATS}"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(python), "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *options, suite.tests]
        done = subprocess.run(
            command,
            cwd=source,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        count = _COUNT.search(done.stdout)
        runs.append((0 if count is None else int(count[1]), set(_OUTCOME.findall(done.stdout)), spent_s))
    (passed, failed, alone_s), (_, failed_watched, watched_s) = runs
    if not passed:
        return [suite.requirement, "0", "", "", "", "no test ran"]
    alarms = sorted(failed_watched - failed)
    cost = f"{watched_s / alone_s:.2f} times {alone_s:.1f} s"
    return [suite.requirement, f"{passed:,}", str(len(failed)), str(len(alarms)), cost, ", ".join(alarms)[:100]]


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
