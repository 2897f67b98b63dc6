"""Is a watched program the program that it was? Small programs, plain, under ``memanalysis run`` and with ``watch()``.

Standard output, standard error and exit code must be the same, on every Python that is installed. The programs lie in
``isolation_programs``. The first lines of one may name what it is started with (``# flags:``), what it needs
(``# needs:``), and why it differs (``# differs:``): it lists the threads of its process, for example.
"""

import atexit
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from benchmarks.isolation_costs import print_costs
from benchmarks.measure import print_table

__all__ = ["WAYS", "Outcome", "WatchedProgram", "compare", "find_pythons", "main", "read_programs"]

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "isolation_programs"
WAYS = ("run", "watch")
TIMEOUT_S = 120.0
INTERVAL_S = 0.05
"""Ticks come often: whatever they disturb, they disturb it here."""

STDIN = "one\ntwo\n"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")

_WATCH = 'import memanalysis; memanalysis.watch("program", ledger={ledger!r}, interval={interval}).start()'
"""Takes the place of a program's docstring, so that each line keeps its number."""


@dataclass(frozen=True, slots=True)
class WatchedProgram:
    """A small program, and how it is started."""

    name: str
    source: str
    flags: tuple[str, ...]
    needs: str | None
    differs: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: its streams and its exit code."""

    stdout: str
    stderr: str
    code: int

    def describe_difference(self, other: "Outcome") -> str | None:
        """Return in what the other differs from this one, or None where it does not."""
        return (
            "; ".join(
                f"{name}: {getattr(self, name)!r} -> {getattr(other, name)!r}"
                for name in ("code", "stdout", "stderr")
                if getattr(self, name) != getattr(other, name)
            )
            or None
        )


def main() -> None:
    """Compare all programs on every Python, measure what children cost, and print both.

    Raises
    ------
    SystemExit
        A program differs that should not.
    """
    programs = read_programs()
    rows, expected, unexpected = [], [], []
    for version, python in find_pythons().items():
        reason = _find_obstacle(python)
        if reason:
            rows.append([version, "skipped", reason, ""])
            continue
        able = [program for program in programs if program.needs is None or _has_module(python, program.needs)]
        same = dict.fromkeys(WAYS, 0)
        for program, differences in zip(able, _compare_all(python, able), strict=True):
            for way, difference in differences.items():
                same[way] += difference is None
                if difference is not None:
                    found = [f"{version} {way}", program.name, program.differs or difference]
                    (expected if program.differs else unexpected).append(found)
        rows.append([version, str(len(able)), *(str(same[way]) for way in WAYS)])
    print_table("Programs whose output, errors and exit code are the same", ["Python", "programs", *WAYS], rows)
    print_table("Known differences", ["where", "program", "why"], expected)
    if unexpected:
        print_table("Differences that should not be", ["where", "program", "what"], unexpected)
    print_costs()
    if unexpected:
        sys.exit(f"{len(unexpected)} programs differ under memanalysis")


def read_programs() -> list[WatchedProgram]:
    """Read the programs, by name."""
    return [_read_program(path) for path in sorted(FOLDER.glob("*.py"))]


def find_pythons() -> dict[str, str]:
    """Interpreters by version: the one that runs, those on the path, and those of pyenv."""
    found = {".".join(map(str, sys.version_info[:2])): sys.executable}
    pyenv = shutil.which("pyenv")
    root = Path(os.environ.get("PYENV_ROOT") or (_ask([pyenv, "root"]) if pyenv else None) or Path.home() / ".pyenv")
    for version in VERSIONS:
        candidates = [*sorted(map(str, root.glob(f"versions/{version}.*/bin/python{version}")), reverse=True)]
        on_path = shutil.which(f"python{version}")
        for python in [*candidates, *filter(None, [on_path])]:
            if (
                version not in found
                and _ask([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == version
            ):
                found[version] = python
    return dict(sorted(found.items(), key=lambda item: tuple(map(int, item[0].split(".")))))


def compare(program: WatchedProgram, *, python: str = sys.executable) -> dict[str, str | None]:
    """Run a program plain and in both ways; give for each way in what it differs, or None."""
    with tempfile.TemporaryDirectory() as folder:
        plain = _run(program, "plain", Path(folder), python)
        outcomes = {way: _run(program, way, Path(folder), python) for way in WAYS}
    return {way: plain.describe_difference(outcome) for way, outcome in outcomes.items()}


def _compare_all(python: str, programs: list[WatchedProgram]) -> list[dict[str, str | None]]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda program: compare(program, python=python), programs))


def _run(program: WatchedProgram, way: str, folder: Path, python: str) -> Outcome:
    place = folder / way
    place.mkdir()
    ledger = str(folder / f"{way}-ledger")
    source = program.source
    if way == "watch":
        watch = _WATCH.format(ledger=ledger, interval=INTERVAL_S)
        source = re.sub(r'^""".*"""$', lambda _: watch, source, count=1, flags=re.M)
    (place / "program.py").write_text(source)
    started = ["-m", "memanalysis", "run", "--interval", str(INTERVAL_S), "--ledger", ledger] if way == "run" else []
    environment = {**os.environ, "PYTHONPATH": _make_python_path(), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run(
        [python, *program.flags, *started, "program.py"],
        input=STDIN, capture_output=True, text=True, errors="backslashreplace", cwd=place, timeout=TIMEOUT_S,
        env=environment, check=False,
    )  # fmt: skip
    return Outcome(_generalise(done.stdout, place), _generalise(done.stderr, place), done.returncode)


@cache
def _make_python_path() -> str:
    """Return the path of the package and of Click alone: the command line needs it, and a bare Python lacks it."""
    folder = tempfile.mkdtemp(prefix="click")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "click").symlink_to(Path(click.__file__).parent, target_is_directory=True)
    return os.pathsep.join((str(ROOT), folder))


def _generalise(text: str, place: Path) -> str:
    """Text without what differs between two plain runs: folders, pids and addresses."""
    text = text.replace(str(place.resolve()), "FOLDER").replace(str(place), "FOLDER")
    return re.sub(r"0x[0-9a-f]{6,}", "ADDRESS", re.sub(r"pid=\d+", "pid=N", text))


def _read_program(path: Path) -> WatchedProgram:
    source = path.read_text(encoding="utf-8")
    head = dict(re.findall(r"^# (flags|needs|differs): (.+)$", source, flags=re.M))
    flags = tuple(head["flags"].split()) if "flags" in head else ()
    return WatchedProgram(path.stem, source, flags, head.get("needs"), head.get("differs"))


def _find_obstacle(python: str) -> str | None:
    """Return why programs of this Python cannot be watched, or None where they can."""
    command = [python, "-c", "import memanalysis, memanalysis.cli; memanalysis.watch"]
    environment = {**os.environ, "PYTHONPATH": _make_python_path(), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return (done.stderr.strip().splitlines() or ["it fails"])[-1] if done.returncode else None


def _has_module(python: str, name: str) -> bool:
    if python == sys.executable:
        return importlib.util.find_spec(name) is not None
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def _ask(command: list[str]) -> str | None:
    """Standard output of a command, or None where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
