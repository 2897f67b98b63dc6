"""Whose ``json`` does this package import? Python's own, also where a folder of the program has a module of that name.

A script's folder comes first on ``sys.path``, so its ``secrets.py`` or ``queue.py`` takes the place of Python's for
every import of the process, this package's included. Within ``standard_library_first()`` such names lead to Python's
modules; after it the program finds them as it would without us. Where no folder has such a name, which is nearly
always, the block does nothing.

What remains: while the block is at work, other threads of the program find Python's modules under these names as well.

Imports nothing that such a folder could have in its place.
"""

import sys
from _frozen_importlib_external import PathFinder
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

__all__ = ["drop_shadowing_folders", "find_shadows", "read_path", "standard_library_first"]

_lock = RLock()

_seen: "tuple[tuple[str, ...], frozenset[str]] | None" = None
"""The path that was searched last, and what was found."""

_ours: "dict[str, ModuleType]" = {}
"""Modules of Python's that the program must not find under their names, for the next block."""


def read_path() -> list[str]:
    """Return the entries of ``sys.path`` that are text: Python imports nothing from others, such as a `Path`."""
    return [folder for folder in sys.path if isinstance(folder, str)]


def find_shadows(path: "Sequence[str]") -> frozenset[str]:
    """Return the names of Python's modules that a folder of the path has, ahead of Python's own."""
    own = _own_folders()
    found: set[str] = set()
    for folder in path:
        if folder in own:
            break
        found.update(_list_modules(folder or "."))
    return frozenset(found & sys.stdlib_module_names)


def drop_shadowing_folders(path: "Sequence[str]") -> list[str]:
    """Return the path, for a process of our own, without folders that have a name of Python's ahead of Python's own."""
    own = _own_folders()
    first_own = next((number for number, folder in enumerate(path) if folder in own), len(path))
    return [folder for folder in path[:first_own] if not find_shadows([folder])] + list(path[first_own:])


class standard_library_first:  # noqa: N801  used as a function, and contextlib may be the program's
    """Context manager in which imports of Python's modules lead to Python's modules.

    Parameters
    ----------
    first : sequence of str
        Folders that are not on ``sys.path`` yet, but will be ahead of it.
    """

    def __init__(self, first: "Sequence[str]" = ()) -> None:
        self._first = tuple(first)
        self._finder: _OwnFinder | None = None
        self._shadows: frozenset[str] = frozenset()
        self._theirs: dict[str, ModuleType] = {}
        self._before: set[str] = set()

    @property
    def has_shadows(self) -> bool:
        """Whether there are such names, within the block."""
        return bool(self._shadows)

    def __enter__(self) -> "standard_library_first":
        _lock.acquire()
        try:
            self._shadows = self._find()
            if self._shadows:
                self._theirs = {name: sys.modules[name] for name in self._named(sys.modules) if not _is_own(name)}
                for name in self._theirs:
                    del sys.modules[name]
                self._before = set(sys.modules)
                for name in self._named(_ours):
                    sys.modules.setdefault(name, _ours[name])
                self._finder = _OwnFinder(self._shadows)
                sys.meta_path.insert(0, self._finder)
        except BaseException:
            _lock.release()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self._shadows:
                sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._finder]
                for name in self._named(sys.modules):
                    if name not in self._before:
                        _ours[name] = sys.modules.pop(name)
                sys.modules.update(self._theirs)
        finally:
            _lock.release()

    def _find(self) -> frozenset[str]:
        global _seen
        path = (*self._first, *read_path())
        if _seen is None or _seen[0] != path:
            _seen = path, find_shadows(path)
        return _seen[1]

    def _named(self, modules: "dict[str, ModuleType]") -> list[str]:
        return [name for name in modules if isinstance(name, str) and name.partition(".")[0] in self._shadows]


class _OwnFinder:
    """Finds modules of Python's in Python's folders alone."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: "Sequence[str] | None", target: "Any" = None) -> "Any":
        if path is not None or name not in self._names:
            return None
        own = _own_folders()
        spec = PathFinder.find_spec(name, [folder for folder in read_path() if folder in own], target)
        if spec is None and name not in sys.builtin_module_names:  # one that this system has not, such as _winapi
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def _own_folders() -> set[str]:
    """Folders of Python's modules, those in C among them."""
    library = _folder_of(sys.modules["os"])
    folders = {library, library + "/lib-dynload", library + "\\lib-dynload", sys.base_prefix + "\\DLLs"}
    folders.update(folder for folder in read_path() if folder.startswith(sys.base_prefix) and folder.endswith(".zip"))
    return folders


def _is_own(name: str) -> bool:
    """Return whether a loaded module is Python's."""
    module = sys.modules[name]
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    if origin in ("built-in", "frozen"):
        return True
    library = _folder_of(sys.modules["os"])
    return isinstance(origin, str) and origin.startswith(library) and "site-packages" not in origin


def _folder_of(module: "ModuleType") -> str:
    return (module.__file__ or "").rpartition("os.py")[0].rstrip("/\\")


def _list_modules(folder: str) -> set[str]:
    os = sys.modules["os"]
    names: set[str] = set()
    try:
        entries = os.listdir(folder)
    except OSError:
        return names
    for entry in entries:
        name, dot, ending = entry.partition(".")
        if name not in sys.stdlib_module_names:
            continue
        if ending.endswith(("py", "pyc", "so", "pyd")) or (not dot and os.path.isfile(f"{folder}/{name}/__init__.py")):
            names.add(name)
    return names
