"""Which types of objects are alive, and how many of each? A census of what the garbage collector tracks.

Dear (some 100 ms a million objects): taken rarely, never on each tick. Nothing of the watched program runs: a type
whose ``__sizeof__`` is written in Python is counted with its bare size, since calling it could take seconds or fail.
"""

import gc
import sys
from collections import defaultdict, deque
from types import MethodDescriptorType, WrapperDescriptorType
from typing import Any

__all__ = ["count_objects", "read_object_census"]


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
    for group in _group_by_type(gc.get_objects()):
        kind = type(group[0])
        size_of = sys.getsizeof if _has_native_size(kind) else object.__sizeof__
        row = named.setdefault(_name_type(kind), [0, 0])
        row[0] += len(group)
        row[1] += sum(map(size_of, group))
    ranked = sorted(named.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return [{"type": name, "count": count, "size_bytes": size} for name, (count, size) in ranked[:top]]


def _group_by_type(objects: list[object]) -> list[list[object]]:
    """Sort objects by type, in C from end to end and without an object made for each."""
    groups: defaultdict[Any, list[object]] = defaultdict(list)
    try:
        deque(map(list.append, map(groups.__getitem__, map(type, objects)), objects), maxlen=0)
    except Exception:  # a metaclass of the program has a hash of its own, which may raise anything: go by identity
        groups.clear()
        for item in objects:
            groups[id(type(item))].append(item)
    return list(groups.values())


def _has_native_size(kind: type) -> bool:
    """Tell whether the type's ``__sizeof__`` is C code, which neither runs the program nor takes long."""
    for base in type.__dict__["__mro__"].__get__(kind):
        if "__sizeof__" in vars(base):
            return isinstance(vars(base)["__sizeof__"], MethodDescriptorType | WrapperDescriptorType)
    return False


def _name_type(kind: type) -> str:
    """Module and qualified name, without asking a metaclass of the program."""
    module = vars(kind).get("__module__", "builtins")
    qualname = type.__dict__["__qualname__"].__get__(kind)
    return qualname if module == "builtins" or not isinstance(module, str) else f"{module}.{qualname}"
