"""Which function is a line of code in? The code objects know; no source is parsed.

Parsing a source file of 3,500 lines takes 260 ms while tracemalloc runs, reading its compiled module 8 ms. So a file's
code comes from its ``.pyc`` where that is up to date, and otherwise (scripts, notebook cells) from what is alive: the
frames that run and the functions of the modules made from that file. None where neither knows the line.
"""

import functools
import importlib.util
import marshal
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

__all__ = ["find_functions", "name_functions", "shorten_name"]

MAX_OBJECTS = 20_000
"""Objects visited in one search through live modules: bounds its time to some 10 ms."""

_FROZEN = re.compile(r"<frozen (.+)>")
_PYC_HEADER = struct.Struct("<4sIII")
_HASHED = 1  # flag of a .pyc that is checked by hash (PEP 552), which importing has done
_MODULE_LEVEL = "<module>"
_CLASS_DICT = type.__dict__["__dict__"]  # reads a class without asking its metaclass

_known: dict[tuple[str, int], str | None] = {}


def name_functions(places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str | None]:
    """Qualified name of the function around each place (file, line): ``<module>`` outside of any, None if unknown."""
    wanted = set(places)
    unasked: dict[str, list[int]] = {}
    for file, line in wanted - _known.keys():
        unasked.setdefault(file, []).append(line)
    for file, lines in unasked.items():
        _known.update(dict.fromkeys((file, line) for line in lines))
        for code in _read_codes(file):
            _known.update(((file, line), name) for line, name in find_functions(code, lines).items())
    return {place: _known[place] for place in wanted}


def find_functions(code: CodeType, lines: Iterable[int]) -> dict[int, str]:
    """Qualified name of the innermost named function around each line; lines that the code has not are left out.

    Comprehensions and lambdas count as the function that they stand in. The first line of a longer function belongs to
    the code around it, which makes the function object there.
    """
    codes = sorted(_flatten(code), key=lambda entry: (entry[1].co_firstlineno, entry[0]), reverse=True)
    found = {}
    for line in lines:
        for depth, inner in codes:
            if inner.co_firstlineno > line or (depth and inner.co_firstlineno == line and _is_long(inner)):
                continue
            if _has_line(inner, line):
                found[line] = shorten_name(inner.co_qualname)
                break
    return found


def shorten_name(qualified_name: str) -> str:
    """Return a qualified name without the anonymous ends: ``f.<locals>.<listcomp>`` is ``f``."""
    parts = qualified_name.split(".")
    while len(parts) > 1 and parts[-1].startswith("<"):
        parts.pop()
    name = ".".join(parts)
    return _MODULE_LEVEL if name.startswith("<") else name


def _flatten(code: CodeType, depth: int = 0) -> Iterator[tuple[int, CodeType]]:
    yield depth, code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _flatten(inner, depth + 1)


def _has_line(code: CodeType, line: int) -> bool:
    return any(number == line for _, _, number in code.co_lines())


def _is_long(code: CodeType) -> bool:
    return any(number is not None and number > code.co_firstlineno for _, _, number in code.co_lines())


def _read_codes(file: str) -> list[CodeType]:
    compiled = None if file.startswith("<") else _read_pyc(file)
    return [compiled] if compiled is not None else list(_find_live_codes(file))


def _read_pyc(file: str) -> CodeType | None:
    """Code of the module as it was compiled, or None where there is no such file for this state of the source."""
    try:
        source = Path(file).stat()
        data = Path(importlib.util.cache_from_source(file)).read_bytes()
    except (OSError, NotImplementedError, ValueError):
        return None
    if len(data) < _PYC_HEADER.size or data[:4] != importlib.util.MAGIC_NUMBER:
        return None
    _, flags, mtime, size = _PYC_HEADER.unpack_from(data)
    if not flags & _HASHED and (mtime, size) != (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF):
        return None
    try:
        code = marshal.loads(memoryview(data)[_PYC_HEADER.size :])  # noqa: S302  what Python itself would run for this file
    except (EOFError, ValueError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None


def _find_live_codes(file: str) -> Iterator[CodeType]:
    for frame in sys._current_frames().values():
        step: FrameType | None = frame
        while step is not None:
            if step.f_code.co_filename == file:
                yield step.f_code
            step = step.f_back
    frozen = _FROZEN.fullmatch(file)
    for name, module in list(sys.modules.items()):
        names = _read_names(module)
        if name == "__main__" or (name == frozen[1] if frozen else names.get("__file__") == file):
            yield from _walk_functions(names, file)


def _read_names(module: object) -> dict[str, object]:
    """Names of a module, read past its own ``__getattribute__``: that of a lazy module would load it."""
    try:
        names = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return names if type(names) is dict else {}


def _walk_functions(names: dict[str, object], file: str) -> Iterator[CodeType]:
    """Code of every function of the file that the names lead to; runs nothing of the program."""
    waiting: list[Any] = list(names.values())
    seen = set[int]()
    while waiting and len(seen) < MAX_OBJECTS:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        kind = type(item)  # isinstance would ask a proxy for its __class__, and so run the program
        if issubclass(kind, FunctionType):
            if item.__code__.co_filename == file:
                yield item.__code__
            waiting.append(item.__dict__.get("__wrapped__"))
            waiting.extend(_read_cells(item))
        elif issubclass(kind, staticmethod | classmethod):
            waiting.append(item.__func__)
        elif issubclass(kind, property):
            waiting.extend((item.fget, item.fset, item.fdel))
        elif issubclass(kind, functools.partial):
            waiting.append(item.func)
        elif issubclass(kind, functools._lru_cache_wrapper):
            waiting.append(item.__wrapped__)
        elif issubclass(kind, type):
            members = _CLASS_DICT.__get__(item)
            if members.get("__module__") == names.get("__name__"):
                waiting.extend(members.values())


def _read_cells(function: FunctionType) -> list[object]:
    found: list[object] = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # an empty cell: its variable is not set yet
            continue
    return found
