"""Which installed packages has the program imported, and in which version? By the names of its modules.

Most distributions have the name of the package that they install. The files that the others list (``RECORD``, PEP 376)
are searched for what is imported: a quarter of a millisecond each, so not while a program starts.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from memanalysis._forked_child import is_forked
from memanalysis.capture.sample import Clock
from memanalysis.standard_library import read_path
from memanalysis.watcher.overhead_budget import OverheadBudget

__all__ = ["Distribution", "ImportedPackages", "find_imported", "list_installed"]

CHECK_AFTER_S = (15.0, 120.0)
"""Seconds since the start: most programs have imported then what they use. They are read once more at the end."""

DISTRIBUTION_S = 0.0005
"""Seconds that the files of one distribution take, at most; set aside before they are read."""

_found_before_fork: dict[str, str] = {}
"""What was found in this process: forked workers do not search for it again, a hundred of them at once."""

_INFO_SUFFIX = ".dist-info"
_PACKAGES = re.compile(rb"^([\w/]+)/__init__\.py,|^(\w+)\.(?:py|[^/,\n]*so|[^/,\n]*pyd),", re.MULTILINE)


class Distribution(NamedTuple):
    """Version of an installed distribution, and the folder of its metadata."""

    version: str
    folder: str


def list_installed() -> dict[str, Distribution]:
    """Return each installed distribution by its name, from the names of their ``.dist-info`` folders.

    Reading their metadata takes a millisecond each; the names of the folders give the same (PEP 427 and 376).
    """
    found: dict[str, Distribution] = {}
    for folder in dict.fromkeys(read_path()):
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208  a thousand Path objects are not wanted here
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(_INFO_SUFFIX):
                name, dash, version = entry.removesuffix(_INFO_SUFFIX).rpartition("-")
                if dash:
                    found.setdefault(name, Distribution(version, f"{folder or '.'}/{entry}"))
    return dict(sorted(found.items()))


def find_imported(installed: Mapping[str, Distribution], *, searches_files: bool = True) -> dict[str, str]:
    """Return name and version of the distributions whose packages are imported.

    Parameters
    ----------
    installed : mapping
        As `list_installed` gives them.
    searches_files : bool
        Whether those are found too whose packages have other names than they.
    """
    modules = _list_modules()
    top_names = {_normalize(name.partition(".")[0]) for name in modules}
    return {
        name: found.version
        for name, found in installed.items()
        if _normalize(name) in top_names or (searches_files and _has_imported(found.folder, modules))
    }


def _list_modules() -> set[str]:
    """Return the names of the modules; a program may keep anything else beside them."""
    return {name for name in list(sys.modules) if isinstance(name, str)}


def _normalize(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()


def _has_imported(folder: str, modules: set[str]) -> bool:
    try:
        record = Path(folder, "RECORD").read_bytes()
    except OSError:  # installed without a list of files, as by the package manager of a system
        return False
    places = (package or module for package, module in _PACKAGES.findall(record))
    return any(place.decode("ascii", "replace").replace("/", ".") in modules for place in places)


class ImportedPackages:
    """Keeps the cell ``packages`` of a run up to date.

    Parameters
    ----------
    first : mapping
        What the row has already.
    budget : OverheadBudget
        What reading may cost.
    clock : Clock
        When it is.
    write : callable
        Given the packages, where they are others than before.
    """

    def __init__(
        self,
        first: Mapping[str, str],
        *,
        budget: OverheadBudget,
        clock: Clock,
        write: Callable[[dict[str, str]], None],
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._write = write
        self._due_at = [clock.monotonic() + seconds for seconds in CHECK_AFTER_S]
        self._seen: set[str] = set()
        self._cost_s = 0.0
        self._written = dict(first)

    def check(self) -> None:
        """Read them if that is due, and the overhead budget has enough for it."""
        if self._due_at and self._clock.monotonic() >= self._due_at[0] and self._read():
            del self._due_at[0]

    def finish(self) -> None:
        """Read them a last time; where the overhead budget has not enough for the files, by the names of modules."""
        if not self._read():
            self._keep(self._written | find_imported(list_installed(), searches_files=False))

    def _read(self) -> bool:
        """Return whether they are known now."""
        if self._budget.available_s() < self._cost_s:  # asked at each tick: names are compared only where it has enough
            return False
        top_names = {name.partition(".")[0] for name in _list_modules()} - sys.stdlib_module_names
        if top_names <= self._seen:
            return True
        started = time.thread_time()
        installed = list_installed()
        self._cost_s = DISTRIBUTION_S * len(installed)
        if self._budget.available_s() < self._cost_s:
            return False
        found = find_imported(installed, searches_files=not is_forked())
        if is_forked():
            found |= {name: version for name, version in _found_before_fork.items() if name in installed}
        else:
            _found_before_fork.update(found)
        self._budget.spend(time.thread_time() - started)
        self._seen = top_names
        self._keep(found)
        return True

    def _keep(self, found: dict[str, str]) -> None:
        if found != self._written:
            self._written = found
            self._write(found)
