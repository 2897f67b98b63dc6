"""Which types of objects are alive, and how many of each? A census of what the garbage collector tracks.

Dear (some 100 ms a million objects): taken rarely, never on each tick. Nothing of the watched program runs: a type
whose ``__sizeof__`` is written in Python is counted with its bare size, since calling it could take seconds or fail.
"""

import gc
import sys
from collections import Counter
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
    objects = gc.get_objects()
    counts = Counter(map(type, objects))
    measured = {kind for kind in counts if _has_native_size(kind)}
    sizes: Counter[type] = Counter()
    for item in objects:
        kind = type(item)
        sizes[kind] += sys.getsizeof(item, 0) if kind in measured else object.__sizeof__(item)
    del objects
    named: dict[str, list[int]] = {}
    for kind, count in counts.items():
        row = named.setdefault(_name_type(kind), [0, 0])
        row[0] += count
        row[1] += sizes[kind]
    ranked = sorted(named.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return [{"type": name, "count": count, "size_bytes": size} for name, (count, size) in ranked[:top]]


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
