"""Large values that the user's names reach, with the way to each: ``cache['w']``, ``Model.history``, ``df``.

The walk goes from the names down, into containers, objects of the user's classes and closures, and stops at data:
arrays, the columns of frames, texts and large containers, whose items are measured by a sample of them. It is bounded
in depth and number, runs none of the user's code, and holds nothing afterwards but weak references.
"""

import sys
import types
import weakref
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from memanalysis.capture.buffers import find_buffers, find_owner
from memanalysis.capture.variable_sizes import measure_variables
from memanalysis.units import MIB

__all__ = ["MIN_BYTES", "NamedValue", "walk_names"]

MIN_BYTES = MIB
"""Smaller values are passed over: nobody misses their memory."""

MAX_DEPTH = 4
MAX_NODES = 20_000
"""Some 20 ms."""

MAX_CHILDREN = 1_000
"""A container with more items is measured as a whole."""

MAX_OTHERS = 3
"""Further ways to the same data that are kept."""

MAX_CONTAINER_S = 0.02
MAX_CONTAINER_OBJECTS = 200
"""What may be walked of a large container: memory that the walk takes itself would be counted as the cell's."""

OUR_REFERENCES = 3
"""To a value under way: the row of its level, the variable, the argument of `sys.getrefcount`."""

_LEAVES = (str, bytes, bytearray)
_CONTAINERS = (list, dict, set, frozenset, tuple)
_HIDDEN = ("In", "Out", "exit", "quit", "get_ipython")


@dataclass(frozen=True, slots=True)
class NamedValue:
    """Data that a name reaches.

    Parameters
    ----------
    path : str
        Expression that gives the value that holds the data, such as ``cache['w']``.
    name : str
        The name it begins with.
    n_items : int
        Items of a container whose size is an estimate; 0 for others.
    reference : weakref.ref or None
        To the object that owns the data; None where Python allows none.
    others : tuple of str
        Further ways to the same data, some of them.
    n_holders : int
        References to the value at ``path``, those of a name or a container among them.
    """

    path: str
    name: str
    size_bytes: int
    n_items: int
    kind: type
    reference: "weakref.ref[Any] | None"
    others: tuple[str, ...] = ()
    n_holders: int = 1

    @property
    def is_gone(self) -> bool | None:
        """Whether the data is freed; None where that cannot be seen."""
        return None if self.reference is None else self.reference() is None


def walk_names(names: Mapping[str, Any]) -> dict[int, NamedValue]:
    """Return large data by the id of the object that owns it; each once, by the shortest way to it."""
    found: dict[int, NamedValue] = {}
    counted: dict[Hashable, int] = {}
    seen = {id(names)}
    level = [
        (name, name, value)
        for name, value in list(names.items())
        if not name.startswith("_") and name not in _HIDDEN and not isinstance(value, types.ModuleType)
    ]
    n_nodes = 0
    owners: dict[int, list[int]] = {}
    for _ in range(MAX_DEPTH):
        below = []
        for path, name, value in level:
            n_nodes += 1
            if n_nodes > MAX_NODES:
                break
            if id(value) in seen:
                for key in owners.get(id(value), ()):
                    found[key] = replace(found[key], others=(*found[key].others, path)[:MAX_OTHERS])
                continue
            seen.add(id(value))
            n_holders = sys.getrefcount(value) - OUR_REFERENCES
            data = list(_iter_data(value))
            for owner, parts, n_items in data:
                new = {part: size for part, size in parts.items() if part not in counted}
                if sum(new.values()) < MIN_BYTES:
                    for key in {counted[part] for part in parts if part in counted}:
                        if found[key].path != path:
                            found[key] = replace(found[key], others=(*found[key].others, path)[:MAX_OTHERS])
                    continue
                counted.update(dict.fromkeys(new, id(owner)))
                found[id(owner)] = NamedValue(
                    path, name, sum(new.values()), n_items, type(owner), _refer_to(owner), n_holders=n_holders
                )
                owners.setdefault(id(value), []).append(id(owner))
            if not data:
                below += [(path + step, name, child) for step, child in _iter_children(value)]
        level = below
    return found


def _iter_data(value: Any) -> Iterator[tuple[Any, Mapping[Hashable, int], int]]:
    """Owners of the data of a value, with the bytes of each part and, for a large container, its items."""
    kind = type(value)
    container = _container_of(kind)
    if issubclass(kind, _LEAVES):
        yield value, {id(value): sys.getsizeof(value)}, 0
    elif container is not None:
        if container.__len__(value) > MAX_CHILDREN:  # past a ``__len__`` of the user's
            sizes = measure_variables({"value": value}, max_s=MAX_CONTAINER_S, max_objects=MAX_CONTAINER_OBJECTS)
            yield value, {id(value): sizes.total_bytes}, container.__len__(value)
    elif _is_of_pandas(kind):
        for data in _list_pandas(value):
            yield from _iter_data(data)
    else:
        buffers = find_buffers(value)
        if buffers is not None:
            yield find_owner(value), dict(buffers), 0


def _is_of_pandas(kind: type) -> bool:
    module = getattr(kind, "__module__", None)
    return type(module) is str and module.partition(".")[0] == "pandas"


def _list_pandas(value: Any) -> list[Any]:
    """Arrays that a frame, a column or an index is made of."""
    blocks = [block.values for block in getattr(getattr(value, "_mgr", None), "blocks", ())]
    axes = getattr(getattr(value, "_mgr", None), "axes", [value])  # an Index is one itself
    return [_find_array(data) for data in (*blocks, *(_stored(axis, "_data") for axis in axes)) if data is not None]


def _find_array(data: Any) -> Any:
    """The array of numpy or Arrow in an array of pandas: dates, texts, numbers with a mask, sparse numbers."""
    found = (getattr(data, name, None) for name in ("_ndarray", "_pa_array", "_data", "_sparse_values"))
    return next((held for held in found if held is not None), data)


def _stored(value: Any, name: str) -> Any:
    """An attribute that is there already: asking a range for its data would make it."""
    return getattr(value, "__dict__", {}).get(name)


def _iter_children(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, with the rest of the expression that gives it."""
    container = _container_of(type(value))
    if container is dict:
        yield from ((f"[{key!r}]", item) for key, item in list(dict.items(value)) if type(key) in (str, int))
    elif container in (list, tuple):
        yield from ((f"[{number}]", item) for number, item in enumerate(list(container.__iter__(value))))
    elif type(value) is types.FunctionType:
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        for name, cell in cells:
            try:
                yield f".{name} (closure)", cell.cell_contents
            except ValueError:  # not filled yet
                continue
    elif issubclass(type(value), type):
        attributes = type.__getattribute__(value, "__dict__")
        if attributes.get("__module__") == "__main__":
            yield from _iter_attributes(attributes)
    elif type(value).__dict__.get("__module__") == "__main__":
        try:
            yield from _iter_attributes(object.__getattribute__(value, "__dict__"))
        except AttributeError:  # it has slots
            return


def _iter_attributes(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f".{name}", item) for name, item in list(attributes.items()) if not name.startswith("__"))


def _container_of(kind: type) -> Any:
    return next((container for container in _CONTAINERS if issubclass(kind, container)), None)


def _refer_to(owner: Any) -> "weakref.ref[Any] | None":
    try:
        return weakref.ref(owner)
    except TypeError:
        return None
