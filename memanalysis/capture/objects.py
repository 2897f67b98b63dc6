"""Which types of objects are alive, and how many of each? A census of what the garbage collector tracks.

Expensive (some 100 ms a million objects): taken rarely, never on each tick. Nothing of the watched program runs: a type
whose ``__sizeof__`` is written in Python is counted with its bare size, since calling it could take seconds or fail.
"""

import gc
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from types import MethodDescriptorType, WrapperDescriptorType
from typing import Any, cast

__all__ = ["count_objects", "group_by_type", "name_type", "read_object_census", "read_own_bytes"]

GC_HEADER_BYTES = sys.getsizeof([]) - [].__sizeof__()
"""What the collector keeps before each object that it tracks."""


def count_objects() -> int:
    """Objects that the garbage collector tracks (30 ms a million)."""
    return len(gc.get_objects())


def read_object_census(*, top: int | None = None) -> list[dict[str, Any]]:
    """Count live objects by qualified type: rows ``type``, ``count``, ``size_bytes``, the most objects first.

    Parameters
    ----------
    top : int, optional
        Rows to give at most; all when not given.
    """
    named: dict[str, list[int]] = {}
    for group in group_by_type(gc.get_objects()):
        kind = type(group[0])
        row = named.setdefault(name_type(kind), [0, 0])
        row[0] += len(group)
        row[1] += _sum_sizes(kind, group)
    ranked = sorted(named.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return [{"type": name, "count": count, "size_bytes": size} for name, (count, size) in ranked[:top]]


def group_by_type(objects: list[object]) -> list[list[object]]:
    """Sort objects by type, in C from end to end and without an object made for each."""
    groups: defaultdict[Any, list[object]] = defaultdict(list)
    try:
        deque(map(list.append, map(groups.__getitem__, map(type, objects)), objects), maxlen=0)
    except Exception:  # a metaclass of the program has a hash of its own, which may raise anything: go by identity
        groups.clear()
        for item in objects:
            groups[id(type(item))].append(item)
    return list(groups.values())


def _sum_sizes(kind: type, group: list[object]) -> int:
    """Bytes of all objects of one type, as ``sys.getsizeof`` gives them, but without a bound method made for each."""
    size_of = _find_native_size(kind)
    if size_of is None:  # written in Python: not called
        return len(group) * (object.__sizeof__(group[0]) + GC_HEADER_BYTES)
    around_bytes = sys.getsizeof(group[0]) - size_of(group[0])  # what getsizeof adds, the same for all of a type
    if size_of is object.__sizeof__ and _read_type("__itemsize__", kind) == 0:
        return len(group) * (size_of(group[0]) + around_bytes)
    return sum(map(size_of, group)) + len(group) * around_bytes


def read_own_bytes(item: object) -> int:
    """Bytes of one object without what it refers to, as ``sys.getsizeof`` gives them; nothing of the program runs."""
    if _find_native_size(type(item)) is None:  # written in Python: not called
        return object.__sizeof__(item) + GC_HEADER_BYTES
    return sys.getsizeof(item)


def _find_native_size(kind: type) -> Callable[[object], int] | None:
    """Find the type's ``__sizeof__`` if it is C code, which neither runs the program nor takes long; else None."""
    for base in _read_type("__mro__", kind):
        size_of = _read_type("__dict__", base).get("__sizeof__")
        if size_of is not None:
            is_native = isinstance(size_of, MethodDescriptorType | WrapperDescriptorType)
            return cast("Callable[[object], int]", size_of) if is_native else None
    return None


def _read_type(name: str, kind: type) -> Any:
    """Read an attribute as ``type`` has it, without asking a metaclass of the program."""
    return type.__dict__[name].__get__(kind)


def name_type(kind: type) -> str:
    """Module and qualified name, without asking a metaclass of the program."""
    module = _read_type("__dict__", kind).get("__module__", "builtins")
    qualname: str = _read_type("__qualname__", kind)
    return qualname if module == "builtins" or not isinstance(module, str) else f"{module}.{qualname}"
