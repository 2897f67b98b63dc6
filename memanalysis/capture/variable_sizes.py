"""How much does each variable keep alive? Everything reachable from it, in a bounded time.

Small structures are walked whole. Of large containers a sample is walked, spread over them, and the rest is estimated
from it: what only one element of the sample holds counts for each element, what several share counts once. Nothing of
the watched program runs: no ``__sizeof__``, ``__len__`` or property written in Python.
"""

import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from memanalysis.capture.buffers import find_buffers
from memanalysis.capture.objects import name_type, read_own_bytes

__all__ = ["VariableSize", "VariableSizes", "measure_variables"]

MAX_S = 1.0
"""Seconds that the measurement of all variables may take."""

WALKING = 0.8
"""Share of them for walks over objects; the rest is for adding up."""

OBJECTS_AT_FIRST = 500
OBJECTS_AT_MOST = 20_000
"""Objects that are walked of one variable: of each at first, then of the largest ones."""

MIN_SAMPLE = 8
"""Elements that are walked of any container."""

MAX_DEPTH = 60
"""References that are followed one after another."""

CHECK_EVERY = 64
"""Objects between two readings of the clock."""

MAX_STRIDE = 500_000
"""Entries of a dict or set that are passed over to spread a sample, from each end."""

SHARED_BYTES = 64 * 1024
"""Smallest buffer or object that is worth a word where two variables share it."""

_ATOMS = frozenset({int, float, complex, bool, str, bytes, bytearray, type(None)})
_SKIPPED = (ModuleType, FrameType, CodeType, BuiltinFunctionType, TracebackType)
_TOOLS = ("IPython", "ipykernel", "zmq", "tornado", "traitlets", "memanalysis", "logging")

Parts = dict[Hashable, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSize:
    """What one variable keeps alive.

    Parameters
    ----------
    size_bytes : int or None
        None where the time was over before it was measured.
    is_estimate : bool
        Whether a sample stands for the elements of a container.
    is_complete : bool
        False where the time was over: there is at least so much.
    shared_bytes : int
        The part that other variables keep alive too.
    shared_with : tuple of (str, int)
        Those variables, each with what it shares with this one, the most bytes first.
    """

    name: str
    type: str
    size_bytes: int | None
    is_estimate: bool = False
    is_complete: bool = True
    shared_bytes: int = 0
    shared_with: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSizes:
    """All variables, the largest first; ``total_bytes`` counts once what several keep alive."""

    rows: tuple[VariableSize, ...]
    total_bytes: int
    took_s: float
    is_complete: bool


def measure_variables(
    variables: Mapping[str, Any],
    *,
    max_s: float = MAX_S,
    max_objects: int = OBJECTS_AT_MOST,
    stop_at: Iterable[object] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> VariableSizes:
    """Measure what each variable keeps alive, in about ``max_s`` seconds.

    Parameters
    ----------
    variables : mapping
        Objects by name.
    max_s : float
        Seconds for all of them.
    max_objects : int
        Objects of one variable that are walked at most, some four times as many at the very most.
    stop_at : iterable of objects
        What is not followed: a namespace that holds all of them.
    """
    began = clock()
    deadline = began + WALKING * max_s
    walk = _Walk(deadline, clock, stop_at)
    parts: dict[str, Parts] = {}
    rows = {
        name: VariableSize(name=name, type=name_type(type(value)), size_bytes=None) for name, value in variables.items()
    }
    for objects in sorted({min(OBJECTS_AT_FIRST, max_objects), max_objects}):
        for name in sorted(rows, key=lambda name: -(rows[name].size_bytes or 0)):
            row = rows[name]
            if clock() >= deadline or not (row.size_bytes is None or row.is_estimate):
                continue
            found = walk.measure(variables[name], objects)
            if row.size_bytes is not None and not walk.is_complete:
                continue  # the estimate that there is shows more than the first part of a better one
            parts[name] = found
            rows[name] = replace(
                row, size_bytes=sum(found.values()), is_estimate=walk.is_estimate, is_complete=walk.is_complete
            )
    shared = _find_shared(parts)
    named = (replace(row, **shared.get(name, {})) for name, row in rows.items())
    union: Parts = {}
    for found in parts.values():
        union.update(found)
    return VariableSizes(
        rows=tuple(sorted(named, key=lambda row: (-(row.size_bytes or 0), row.name))),
        total_bytes=sum(union.values()),
        took_s=clock() - began,
        is_complete=all(row.size_bytes is not None and row.is_complete for row in rows.values()),
    )


def _find_shared(parts: Mapping[str, Parts]) -> dict[str, dict[str, Any]]:
    """Return, by variable, what it shares with others, and with which."""
    names: dict[Hashable, list[str]] = {}
    for name, found in parts.items():
        for key, size in found.items():
            if size >= SHARED_BYTES:
                names.setdefault(key, []).append(name)
    totals: Counter[str] = Counter()
    with_others: dict[str, Counter[str]] = {}
    for key, holders in names.items():
        for name in holders if len(holders) > 1 else ():
            totals[name] += parts[name][key]
            others = with_others.setdefault(name, Counter())
            others.update({other: parts[name][key] for other in holders if other != name})
    return {
        name: {"shared_bytes": total, "shared_with": tuple(with_others[name].most_common())}
        for name, total in totals.items()
    }


class _OutOfTimeError(Exception):
    """The time is over."""


class _Walk:
    """Walks from an object to all that it keeps alive, and sums it up by what distinguishes each part."""

    def __init__(self, deadline: float, clock: Callable[[], float], stop_at: Iterable[object]) -> None:
        self.is_estimate = False
        self.is_complete = True
        self._deadline, self._clock = deadline, clock
        self._stops = set(map(id, stop_at))
        self._left = 0
        self._alive: list[object] = []  # ids stay true while the objects live
        self._random = Random(0)  # noqa: S311 - the same sample each time, not a secret

    def measure(self, item: Any, objects: int) -> Parts:
        """Return the parts of one object; at most some four times ``objects`` are walked."""
        self.is_estimate, self.is_complete, self._left = False, True, 4 * objects
        parts: Parts = {}
        try:
            self._visit(item, parts, objects, 0)
        except _OutOfTimeError:
            self.is_complete = False
        return parts

    def _visit(self, item: Any, parts: Parts, budget: int, depth: int) -> None:
        key = id(item)
        if key in parts or key in self._stops:
            return
        kind = type(item)
        if kind in _ATOMS:
            parts[key] = sys.getsizeof(item)
            return
        if issubclass(kind, _SKIPPED) or _is_tool(kind):
            return
        self._left -= 1
        if self._left % CHECK_EVERY == 0 and self._clock() >= self._deadline:
            raise _OutOfTimeError
        if self._left < 0 or depth > MAX_DEPTH:
            self.is_estimate = True
            return
        buffers = find_buffers(item)
        if buffers is not None:
            self._alive.append(item)
            parts.update(buffers)
            if _holds_objects(item):
                self._visit_elements(item, item.size, _pick_from_array, parts, budget, depth)
            return
        if issubclass(kind, type):
            children = _read_class(item)
            self._visit_elements(children, len(children), _pick_from_list, parts, budget, depth)
            return
        parts[key] = read_own_bytes(item)
        length, pick = _find_elements(kind)
        if pick is None:
            children = _read_function(item) if issubclass(kind, FunctionType) else gc.get_referents(item)
            self._alive.append(children)
            self._visit_elements(children, len(children), _pick_from_list, parts, budget, depth)
        else:
            self._visit_elements(item, length(item), pick, parts, budget, depth)
            if kind not in _PLAIN:  # an instance of a class of the program: it has attributes too
                names = _read_attributes(item)
                if names is not None:
                    self._visit(names, parts, budget, depth + 1)

    def _visit_elements(self, container: Any, count: int, pick: "Pick", parts: Parts, budget: int, depth: int) -> None:
        chosen = count if count <= budget else max(budget, MIN_SAMPLE)
        try:
            elements = pick(container, min(chosen, count), count, self._random)
        except RuntimeError:  # another thread changes it
            self.is_estimate = True
            return
        if not elements:
            return
        self._alive.append(elements)
        share = max(1, budget // len(elements))
        if len(elements) >= count:
            for element in elements:
                self._visit_one(element, parts, share, depth)
            return
        self.is_estimate = True
        seen: Counter[Hashable] = Counter()
        sizes: Parts = {}
        for element in elements:
            own: Parts = {}
            self._visit_one(element, own, share, depth)
            seen.update(own.keys())
            sizes.update(own)
        distinct = len(set(map(_identify, elements)))
        single = sum(size for key, size in sizes.items() if seen[key] == 1 and key not in parts)
        parts.update(sizes)
        if 2 * distinct > len(elements):  # else the sample has all that there are
            parts[id(container), "rest"] = round(single * (count - len(elements)) / len(elements))

    def _visit_one(self, element: Any, parts: Parts, share: int, depth: int) -> None:
        if type(element) is _Entry:
            self._visit(element.key, parts, share, depth + 1)
            self._visit(element.value, parts, share, depth + 1)
        else:
            self._visit(element, parts, share, depth + 1)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and a value of a dict."""

    key: Any
    value: Any


Pick = Callable[[Any, int, int, Random], list[Any]]
"""Chooses a number of elements of a container, spread over it; given are both numbers."""


def _identify(element: Any) -> Hashable:
    return (id(element.key), id(element.value)) if type(element) is _Entry else id(element)


def _pick_from_list(items: Any, chosen: int, count: int, random: Random) -> list[Any]:
    read = tuple.__getitem__ if issubclass(type(items), tuple) else list.__getitem__
    return [read(items, place) for place in _choose_places(chosen, count, random)]


def _pick_from_array(array: Any, chosen: int, count: int, random: Random) -> list[Any]:
    flat = array.flat
    return [flat[place] for place in _choose_places(chosen, count, random)]


def _pick_from_dict(entries: Any, chosen: int, count: int, random: Random) -> list[Any]:
    return [_Entry(*entry) for entry in _stride(lambda: dict.items(entries), chosen, count)]


def _pick_from_set(items: Any, chosen: int, count: int, random: Random) -> list[Any]:
    iterate = frozenset.__iter__ if issubclass(type(items), frozenset) else set.__iter__
    step = max(1, min(count, MAX_STRIDE) // chosen) if chosen else 1
    return list(islice(iterate(items), 0, None if count <= MAX_STRIDE else MAX_STRIDE, step))[: max(chosen, 0)]


def _pick_from_deque(items: Any, chosen: int, count: int, random: Random) -> list[Any]:
    return list(islice(deque.__iter__(items), 0, None, max(1, count // chosen)))[:chosen] if chosen else []


def _choose_places(chosen: int, count: int, random: Random) -> Iterable[int]:
    """Return one place, at random, of each of ``chosen`` equal stretches: no pattern of the elements hides in it."""
    if chosen >= count:
        return range(count)
    width = count / chosen
    return (min(count - 1, int((stretch + random.random()) * width)) for stretch in range(chosen))


def _stride(view: Callable[[], Any], chosen: int, count: int) -> list[Any]:
    """Return every n-th entry; of a very large dict those near both ends."""
    if not chosen:
        return []
    if count <= 2 * MAX_STRIDE:
        return list(islice(view(), 0, None, max(1, count // chosen)))[:chosen]
    step = max(1, 2 * MAX_STRIDE // chosen)
    return [
        *islice(view(), 0, MAX_STRIDE, step),
        *islice(reversed(view()), 0, MAX_STRIDE, step),
    ][:chosen]


_ELEMENTS: tuple[tuple[type, Callable[[Any], int], Pick], ...] = (
    (list, list.__len__, _pick_from_list),
    (tuple, tuple.__len__, _pick_from_list),
    (dict, dict.__len__, _pick_from_dict),
    (set, set.__len__, _pick_from_set),
    (frozenset, frozenset.__len__, _pick_from_set),
    (deque, deque.__len__, _pick_from_deque),
)
_PLAIN = frozenset(kind for kind, _, _ in _ELEMENTS)


def _find_elements(kind: type) -> tuple[Callable[[Any], int], Pick | None]:
    for base, length, pick in _ELEMENTS:
        if issubclass(kind, base):
            return length, pick
    return len, None


def _holds_objects(item: Any) -> bool:
    kind = getattr(sys.modules.get("numpy"), "ndarray", None)
    return kind is not None and issubclass(type(item), kind) and bool(item.dtype.hasobject) and item.dtype.kind == "O"


def _is_tool(kind: type) -> bool:
    module = type.__dict__["__dict__"].__get__(kind).get("__module__")
    return isinstance(module, str) and module.partition(".")[0] in _TOOLS


def _read_class(kind: type) -> list[Any]:
    """Values that a class of the notebook holds; of imported classes nothing."""
    names = type.__dict__["__dict__"].__get__(kind)
    if names.get("__module__") != "__main__":
        return []
    return [value for name, value in names.items() if not (isinstance(name, str) and name.startswith("__"))]


def _read_function(function: FunctionType) -> list[Any]:
    """What a function keeps alive by itself, without the module that it stands in."""
    held = [function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__]
    return [value for value in held if value]


def _read_attributes(item: Any) -> dict[str, Any] | None:
    try:
        names = object.__getattribute__(item, "__dict__")
    except AttributeError:
        return None
    return names if type(names) is dict else None
