"""Run pytest on a suite of some lines in a process of its own, with the plugin as an installation brings it."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NestedRun", "run_suite"]

ROOT = Path(__file__).parents[1]

TIMEOUT_S = 150


@dataclass(frozen=True, slots=True)
class NestedRun:
    """How a run of pytest ended."""

    code: int
    output: str

    def count(self, outcome: str) -> int:
        """Tests with an outcome, as the last line of pytest counts them."""
        found = re.search(rf"(\d+) {outcome}", self.output.strip().splitlines()[-1])
        return int(found[1]) if found else 0

    def section(self, test: str) -> str:
        """What is shown of a failed test."""
        parts = re.split(r"^_{3,} (.+?) _{3,}$|^={3,} .* ={3,}$", self.output, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=False))[test]


def run_suite(folder: Path, *options: str, **files: str) -> NestedRun:
    """Write the files of a suite into a folder, and run it.

    Parameters
    ----------
    folder : Path
        Of the test that asks.
    options : str
        Of pytest.
    files : str
        Text of each Python file, by its name without the ending.
    """
    suite = folder / "suite"
    suite.mkdir(exist_ok=True)
    (suite / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    for name, text in files.items():
        (suite / f"{name}.py").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MEMANALYSIS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=suite,
        env={**kept, "PYTHONPATH": os.pathsep.join([str(_write_entry_points(folder)), str(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    return NestedRun(done.returncode, done.stdout)


def _write_entry_points(folder: Path) -> Path:
    """Write what an installation writes of the entry points: the environment of the tests may have an older one."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    place = folder / "installed"
    metadata = place / "memanalysis_entry_points-0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: memanalysis-entry-points\nVersion: 0\n")
    lines = [
        line
        for group, names in points.items()
        for line in (f"[{group}]", *(f"{name} = {home}" for name, home in names.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return place
