"""Check that a wheel holds every file of the package: ``python .ci/check_wheel.py dist/memanalysis-*.whl``."""

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "memanalysis"
SOURCES = {".c", ".h", ".pyx"}
"""Files that are compiled, or needed for that only."""

WANTED = {"memanalysis/py.typed", "memanalysis/policy/memory_policy.yaml", "memanalysis/watcher/boot/sitecustomize.py"}
"""Checked by name too: without them the wheel installs well, and something fails later."""


def find_missing(wheel: Path) -> list[str]:
    """Return the files of the package that a wheel lacks."""
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.suffix not in {".so", ".pyd", *SOURCES}}
    return sorted((wanted | WANTED) - packed)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if missing := find_missing(Path(name)):
            sys.exit(f"{name} lacks {', '.join(missing)}. Add them to the package data in pyproject.toml.")
