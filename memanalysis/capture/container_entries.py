"""Name the containers whose new entries take most, by their lengths at two moments.

Most of what leaks (bytes, text, numbers, arrays) the garbage collector does not track, so a census of types does not
have it. But it lies in a container, and that one gets longer. Two walks over what is tracked compare lengths, and the
newest entries are weighed. A walk takes 0.4 to 0.8 µs an object. Nothing of the watched program runs: lengths and
entries are read by the methods of the builtin types, also of classes derived from them.
"""

import functools
import gc
import sys
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress, islice
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MethodDescriptorType, WrapperDescriptorType
from typing import Any, cast

from memanalysis.capture.holders import describe_holders
from memanalysis.capture.objects import group_by_type, name_type, read_own_bytes

__all__ = ["ContainerLengths", "GrownEntries", "find_grown_entries", "read_lengths"]

ContainerLengths = Mapping[int, tuple["array[int]", "array[int]"]]
"""Identities and lengths of the containers of each type, by the identity of the type; of `read_lengths`."""

MIN_ENTRIES = 4
"""A container that had fewer at the first moment is not remembered. What came since then may be gone soon."""

MIN_ADDED = 8
"""Fewer entries more are no growth."""

MAX_WEIGHED = 200
"""Containers whose new entries are weighed, those with most of them."""

MAX_DESCRIBED = 30
"""Containers whose holders are searched for, those whose new entries take most."""

NEWEST = 1_000
"""Entries among which those that are weighed are picked."""

WEIGHED_ENTRIES = 20

MAX_REFERENCES = 8
"""What has more references is shared, and takes nothing more; four of them are our own."""

AT_ONCE = 10_000
"""Objects whose referents are listed together: bounds the list."""

_LRU_CACHE = functools._lru_cache_wrapper
_WITHOUT_ENTRIES = (
    FunctionType,
    BuiltinFunctionType,
    GetSetDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
    property,
    type,
)
"""None of these refers directly to a dict of the program that grows."""


@dataclass(frozen=True, slots=True)
class GrownEntries:
    """New entries of the containers that are held in one way.

    Parameters
    ----------
    text : str
        The chain that holds the entries, such as ``app.CACHE -> dict -> bytes``.
    size_bytes : int
        Estimate of what the new entries take.
    share : float
        Their part of what the new entries of all containers take that were examined.
    """

    text: str
    size_bytes: int
    share: float


def read_lengths() -> ContainerLengths:
    """Read the lengths of the containers that have some entries: dicts, lists, sets and deques."""
    lengths: dict[int, tuple[array[int], array[int]]] = {}
    for base, group in _iter_groups():
        counts = list(map(base.__len__, group))
        chosen = [count >= MIN_ENTRIES for count in counts]
        keys, kept = lengths.setdefault(id(type(group[0])), (array("Q"), array("Q")))
        keys.extend(map(id, compress(group, chosen)))
        kept.extend(compress(counts, chosen))
    return lengths


def find_grown_entries(before: ContainerLengths, *, seconds: float, min_bytes: float = 0.0) -> list[GrownEntries]:
    """Find what holds the new entries that take most, the most bytes first.

    A container with a bound (a deque with ``maxlen``, the dict of an ``lru_cache`` with ``maxsize``) is left out, and
    so are those of memanalysis, those that no name or object was found to hold, and those that are new themselves.

    Parameters
    ----------
    before : ContainerLengths
        What `read_lengths` gave at an earlier moment.
    seconds : float
        Of processor time of this thread for the holders; one step beyond may be under way.
    min_bytes : float
        Where all new entries take less, their holders are not searched for.
    """
    grown = _list_grown(before)
    weights = [_weigh(container, added) for container, added in zip(*grown, strict=True)]
    best = sorted(range(len(weights)), key=lambda i: -weights[i][0])[:MAX_DESCRIBED]
    best = [i for i in best if weights[i][0] > 0]
    chosen = [grown[0][i] for i in best]
    for part in grown:  # the search would find the list
        part.clear()
    total = sum(weights[i][0] for i in best)
    if not chosen or total < min_bytes:
        return []
    texts = describe_holders(chosen, seconds=seconds)
    sizes: Counter[str] = Counter()
    for text, container, i in zip(texts, chosen, best, strict=True):
        if text != f"... -> {name_type(type(container))}" and not _is_ours(text):
            sizes[f"{text} -> {weights[i][1]}"] += weights[i][0]
    return [GrownEntries(text, size, size / total) for text, size in sizes.most_common()]


def _iter_groups() -> Iterator[tuple[Any, list[Any]]]:
    """Containers by type, each group with the builtin type whose methods read it; also dicts that are not tracked."""
    untracked: dict[int, Any] = {}
    for group in group_by_type(gc.get_objects()):
        kind = type(group[0])
        base = _find_base(kind)
        if base is not None:
            yield base, group
        if not issubclass(kind, (set, *_WITHOUT_ENTRIES)):
            for first in range(0, len(group), AT_ONCE):
                inner = gc.get_referents(*group[first : first + AT_ONCE])
                plain = [item for item in inner if type(item) is dict]
                untracked.update((id(item), item) for item in plain if not gc.is_tracked(item))
    if untracked:
        yield dict, list(untracked.values())


def _find_base(kind: type) -> Any:
    """Return the builtin type of containers that a type is or derives from; None where it is none."""
    return next((base for base in (dict, list, set, deque) if issubclass(kind, base)), None)


def _list_grown(before: ContainerLengths) -> tuple[list[Any], list[int]]:
    """List the containers that are longer than before, those first that are by most, and by how much."""
    containers: list[Any] = []
    more: list[int] = []
    for base, group in _iter_groups():
        earlier = dict(zip(*before.get(id(type(group[0])), ((), ())), strict=True))
        for item, count in zip(group, map(base.__len__, group), strict=True):
            added = count - earlier.get(id(item), count)
            if added >= MIN_ADDED:
                containers.append(item)
                more.append(added)
    bounded = _list_bounded()
    order = sorted(range(len(more)), key=lambda i: -more[i])
    order = [i for i in order if id(containers[i]) not in bounded and not _has_maxlen(containers[i])][:MAX_WEIGHED]
    return [containers[i] for i in order], [more[i] for i in order]


def _list_bounded() -> set[int]:
    """Identities of the dicts of caches that have a bound."""
    caches = [item for item in gc.get_objects() if type(item) is _LRU_CACHE]
    return {
        id(inner)
        for cache in caches
        if _LRU_CACHE.cache_info(cast("Any", cache)).maxsize is not None
        for inner in gc.get_referents(cache)
        if type(inner) is dict
    }


def _has_maxlen(container: Any) -> bool:
    return issubclass(type(container), deque) and deque.__dict__["maxlen"].__get__(container) is not None


def _weigh(container: Any, added: int) -> tuple[int, str]:
    """Estimate what the new entries take, and name the type that takes most of it."""
    base = _find_base(type(container))
    try:
        entries = list(islice(_iterate_newest(base, container), min(added, NEWEST)))
    except RuntimeError:  # another thread changes it
        return 0, ""
    picked = entries[:: max(1, -(-len(entries) // WEIGHED_ENTRIES))]
    del entries
    sizes: Counter[str] = Counter()
    for entry in picked:
        for item in entry if base is dict else (entry,):
            sizes[name_type(type(item))] += _read_bytes(item)
    slot_bytes = base.__sizeof__(container) / max(1, base.__len__(container))
    kind = max(sizes, key=lambda name: sizes[name], default="")
    return round(added * (slot_bytes + sizes.total() / max(1, len(picked)))), kind


def _iterate_newest(base: Any, container: Any) -> Iterator[Any]:
    """Entries of a container from the newest on, of a set in its own order; of a dict keys and values."""
    if base is dict:
        return reversed(dict.items(container))
    newest: Callable[[Any], Iterator[Any]] = set.__iter__ if base is set else base.__reversed__
    return newest(container)


def _read_bytes(item: Any) -> int:
    """Bytes of an entry and of the plain objects that it alone refers to; 0 for what is shared."""
    if sys.getrefcount(item) > MAX_REFERENCES:
        return 0
    inner = gc.get_referents(item)
    return read_own_bytes(item) + sum(
        read_own_bytes(part)
        for part in inner
        if not gc.is_tracked(part) and not issubclass(type(part), type) and sys.getrefcount(part) <= MAX_REFERENCES
    )


def _is_ours(text: str) -> bool:
    """Whether memanalysis holds it; its examples are programs like those of others."""
    own = f"{__name__.partition('.')[0]}."
    return any(part.startswith(own) and not part.startswith(f"{own}examples.") for part in text.split(" -> "))
