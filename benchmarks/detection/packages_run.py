"""Leaks that shipped in released packages, and their fixed releases, run for real under ``memanalysis run``.

``python -m benchmarks packages`` installs each release of the material's ``leakbench/cases`` from the package index in
an environment of its own and repeats the case's ``step()`` for 75 s with the defaults. Each tenth of the run is judged
as if it had ended there. ``MEMANALYSIS_CASES`` names some cases, ``MEMANALYSIS_SECONDS`` another time, and
``MEMANALYSIS_ENVIRONMENTS`` the folder of the environments, which are kept there.
"""

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.detection.material import find_material
from benchmarks.measure import print_table
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

__all__ = ["Release", "is_named", "list_releases", "main"]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("MEMANALYSIS_SECONDS", "75"))
TENTHS = 10
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Cases of other versions of Python are left out: the compiled sampler is for this one."""

NEEDS = ("click", "fsspec", "jinja2", "numpy", "pandas", "psutil", "pyarrow", "pyyaml", "rich", "setuptools<75")
"""What ``memanalysis run`` needs, beside the release."""

PROGRAM = """\
import importlib.util, sys, time
until = time.monotonic() + float(sys.argv[2])
specification = importlib.util.spec_from_file_location("case", sys.argv[1])
case = importlib.util.module_from_spec(specification)
specification.loader.exec_module(case)
getattr(case, "setup", int)()
while time.monotonic() < until:
    started = time.perf_counter()
    case.step()
    time.sleep(min(0.1, time.perf_counter() - started))
"""
"""As much time asleep as at work: two cases at a time would else measure each other."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release of one case: ``named`` are the files that are right to be named."""

    script: Path
    variant: str
    requires: tuple[str, ...]
    kind: str
    named: tuple[str, ...]
    is_scored: bool


def main() -> None:
    """Run the releases, and print a row each."""
    folder = find_material()
    if folder is None or not (folder / "leakbench" / "cases").is_dir():
        print("There are no packages on this machine: MEMANALYSIS_MATERIAL names the folder that has them.\n")
        return
    with tempfile.TemporaryDirectory() as place:
        environments = Path(os.environ.get("MEMANALYSIS_ENVIRONMENTS", place))
        rows = []
        for release in list_releases(folder / "leakbench" / "cases"):
            rows.append(judge(release, environments))
            print(*rows[-1], sep=" | ", flush=True)  # a run of all takes an hour
    header = ["case", "release", "kind", "called", "tenth by tenth", "right file", "verdict"]
    print_table(f"Released packages, {SECONDS} s, defaults", header, rows)


def list_releases(folder: Path) -> Iterator[Release]:
    """Leaky, fixed and harmless releases of the cases that are asked for."""
    wanted = os.environ.get("MEMANALYSIS_CASES", "").split()
    for script in sorted(folder.glob("*.py")):
        constants = _read_constants(script)
        if (wanted and script.stem not in wanted) or constants.get("PYTHON", PYTHON) != PYTHON:
            continue
        kind = str(constants.get("KIND", ""))
        named = tuple(str(constants[key]) for key in ("GUILTY", "KEPT_BY") if constants.get(key))
        if constants["LABEL"] == "benign":
            yield Release(script, "harmless", tuple(constants.get("REQUIRES", ())), kind, (), True)
        elif "LEAKY_REQUIRES" in constants:
            yield Release(script, "leaky", tuple(constants["LEAKY_REQUIRES"]), kind, named, True)
            is_scored = constants.get("FIXED_LABEL") != "residual"
            yield Release(script, "fixed", tuple(constants["FIXED_REQUIRES"]), kind, (), is_scored)


def judge(release: Release, environments: Path) -> list[str]:
    """Run one release and return its row: tenths are L for a leak, - for none, ? for what is undecided."""
    start = [release.script.stem, release.variant, release.kind]
    python = _make_environment(release, environments)
    if python is None:
        return [*start, "", "", "", "could not be installed"]
    with tempfile.TemporaryDirectory() as place:
        ledger, program = Path(place) / "ledger", Path(place) / "program.py"
        program.write_text(PROGRAM, encoding="utf-8")
        command = [str(python), "-m", "memanalysis", "run", "--ledger", str(ledger), str(program)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, str(release.script), str(SECONDS)],
            cwd=place,
            env=environment,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return [*start, "", "", "", done.stderr.decode(errors="replace").strip().splitlines()[-1][:60]]
        worst = assess(ledger).sort_values("is_leak").iloc[-1]
        samples = open_ledger(ledger).samples
    of_run = samples[samples["run_id"] == worst["run_id"]]
    last_s = float(of_run["elapsed_s"].max())
    moments_s = [last_s * tenth / TENTHS for tenth in range(1, TENTHS + 1)]
    moments = "".join(_mark(assess_samples(of_run[of_run["elapsed_s"] <= moment]).iloc[0]) for moment in moments_s)
    text = " ".join(str(worst[name]) for name in ("responsible_file", "allocated_file", "held_by"))
    is_right = any(is_named(name, text) for name in release.named)
    where = ":".join(str(worst[name]) for name in ("responsible_file", "responsible_line"))
    return [
        *start,
        ("leak" if worst["is_leak"] else "no") + ("" if release.is_scored else " (not scored)"),
        moments,
        ("yes" if is_right else "no") if release.named else "",
        f"{worst['shape']}, {worst['origin']}, {where[-50:]}",
    ]


def _make_environment(release: Release, environments: Path) -> Path | None:
    """Python of an environment that has the release and what memanalysis needs; None where it cannot be installed."""
    place = environments / f"{release.script.stem}-{release.variant}"
    python = place / "bin" / "python"
    ready = place / "ready"
    if not ready.exists():
        named = {requirement.split("==")[0].lower() for requirement in release.requires}
        others = [need for need in NEEDS if need.lower() not in named]
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
            *release.requires,
            *others,
        ]
        for command in ([sys.executable, "-m", "venv", "--clear", str(place)], install):
            if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
                return None
        ready.touch()
    return python


def is_named(name: str, text: str) -> bool:
    """Whether a file (or the script itself) or its module is among what the verdict names."""
    if name.startswith("cases/"):
        return name.split("/")[-1] in text or "__main__." in text or "case." in text
    return name in text or name.removesuffix(".py").replace("/", ".") + "." in text


def _read_constants(script: Path) -> dict[str, Any]:
    """Constants of a case, without importing it."""
    constants: dict[str, Any] = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                constants[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return constants


def _mark(verdict: Any) -> str:
    if verdict["is_leak"]:
        return "L"
    return "?" if verdict["shape"] in ("inconclusive", "slowing") else "-"
