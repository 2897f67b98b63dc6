"""Which list, dict, set or deque gets longer and longer, and has it a bound.

What most leaks keep (bytes, text, numbers) the garbage collector does not track, so no census counts it; but it lies
in a container, and that one grows. A cache of ``functools.lru_cache`` and a ``deque`` with a ``maxlen`` grow too while
they fill, and then stop: they are known by what they are. Nothing of the watched program runs.
"""

import functools
import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

__all__ = ["GrownContainers", "find_grown_containers", "read_container_lengths", "read_remaining_capacities"]

AT_ONCE = 10_000
"""Objects whose referents are listed together: bounds the list."""

_KINDS = (dict, list, set, deque)
_LRU_CACHE = functools._lru_cache_wrapper
_BOUNDED = (_LRU_CACHE, deque)
_OWN_PACKAGE = __name__.partition(".")[0] + "."


@dataclass(frozen=True, slots=True)
class GrownContainers:
    """Containers that became longer, the most first: three lists side by side.

    Parameters
    ----------
    containers : list
        Kept alive by this record: let go of it soon. Of an ``lru_cache`` it is the function itself.
    added : list of int
        Entries more than before.
    remaining_capacity : list of int or None
        Entries that a bounded container can still take up; None for one without a bound.
    """

    containers: list[Any]
    added: list[int]
    remaining_capacity: list[int | None]


def read_container_lengths() -> dict[int, int]:
    """Entries of every container that has some, by its ``id()``."""
    with _no_collection():
        return {id(item): length for item, length in _iter_filled()}


def find_grown_containers(
    before: Mapping[int, int], *, least: int, most: int = 10, ours: Sequence[object] = ()
) -> GrownContainers:
    """Find the containers that are longer than before by ``least`` entries, ``most`` of them.

    The caches of memanalysis itself, which fill while it measures, are none of them.

    Parameters
    ----------
    before : mapping
        What `read_container_lengths` gave.
    ours : sequence
        Containers that are left out.
    """
    with _no_collection():
        grown, tables = [], set(map(id, (before, ours, *ours)))
        tables.add(id(tables))
        for item, length in _iter_filled():
            if type(item) is _LRU_CACHE:
                tables.update(map(id, gc.get_referents(item)))
                if _is_own_cache(item):
                    continue
            more = length - before.get(id(item), 0)
            if more >= least:
                grown.append((more, id(item), item))
        found = nlargest(most, [entry for entry in grown if entry[1] not in tables])
        containers = [container for _, _, container in found]
        return GrownContainers(
            containers, [more for more, _, _ in found], list(map(_read_remaining_capacity, containers))
        )


def read_remaining_capacities() -> dict[int, int]:
    """Return how many entries each bounded cache or deque can still take up, by its ``id()``, without full ones."""
    bounded = [item for item in gc.get_objects() if type(item) in _BOUNDED]
    capacities = ((id(item), _read_remaining_capacity(item)) for item in bounded)
    return {key: capacity for key, capacity in capacities if capacity}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Turn the garbage collector off for a walk that makes many objects, and no garbage."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _iter_filled() -> Iterator[tuple[Any, int]]:
    """Every container or cache that has entries, with their number.

    Those that the collector tracks, and the dicts that it does not: those without a key or value to track. What counts
    a type is found once, by the ``id()`` of the type: a metaclass of the program may compare in a way of its own.
    """
    objects = gc.get_objects()
    kinds = {id(kind): kind for kind in map(type, objects)}
    counts = {key: count for key, kind in kinds.items() if (count := _find_count(kind)) is not None}
    for item in [item for item in objects if id(type(item)) in counts]:
        length = counts[id(type(item))](item)
        if length:
            yield item, length
    seen = set[int]()
    for first in range(0, len(objects), AT_ONCE):
        referents = gc.get_referents(*objects[first : first + AT_ONCE])
        for item in [inner for inner in referents if type(inner) is dict and not gc.is_tracked(inner)]:
            if item and id(item) not in seen:
                seen.add(id(item))
                yield item, len(item)


def _find_count(kind: type) -> Callable[[Any], int] | None:
    """What counts the entries of a type, past a ``__len__`` of the program; None for what is no container."""
    if kind is _LRU_CACHE:
        return _count_cached
    return next((base.__len__ for base in _KINDS if issubclass(kind, base)), None)


def _count_cached(cache: Any) -> int:
    return _LRU_CACHE.cache_info(cache).currsize


def _is_own_cache(cache: Any) -> bool:
    """Whether it caches a function of memanalysis; no attribute of the program is asked."""
    module = vars(cache).get("__module__")
    return type(module) is str and module.startswith(_OWN_PACKAGE)


def _read_remaining_capacity(container: Any) -> int | None:
    if type(container) is _LRU_CACHE:
        info = _LRU_CACHE.cache_info(container)
        return None if info.maxsize is None else max(0, info.maxsize - info.currsize)
    if type(container) is deque and container.maxlen is not None:
        return container.maxlen - len(container)
    return None
