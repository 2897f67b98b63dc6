"""Who keeps the objects of a type alive? The shortest chains of references to them, grouped, within a bounded time.

One step up costs a walk over all objects that the garbage collector tracks (30 to 100 ms a million), whatever
the number of objects asked about; so a whole sample of objects is followed upwards together. Nothing of the watched
program runs.
"""

import gc
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from memanalysis.capture.chains import describe_chain, list_running_locals
from memanalysis.capture.objects import name_type
from memanalysis.capture.referrers import find_referrers
from memanalysis.capture.stranded_tasks import find_stranded_tasks, is_waiting_task

__all__ = ["HolderChain", "describe_holders", "find_growing_type", "find_holders", "find_object_holders"]

MAX_LEVELS = 10
"""A chain longer than this helps nobody."""

MAX_AT_A_LEVEL = 2_000
"""Holders followed further, of each level: bounds time and memory where everything refers to everything."""

MIN_GROWTH = 100
"""A type grows from this many more objects on."""

GENERATIONS = (2, 1, 0)
"""Of the collector, the oldest first: objects of each are in the order of their age."""

MIN_OUTLIVED_SHARE = 0.5
"""Where this share of the newest objects has outlived collections, younger ones are passed over: many are gone soon."""

SAMPLE = 50
"""Objects of the type that are followed, spread over all of them."""

CHECKED_TASKS = 10
"""Tasks in the chains that are checked for whether anything can wake them: that follows more than a holder each."""

MIN_TASKS_SHARE = 0.25
"""Of the time for the chains, given to that check where the chains took all of it."""


@dataclass(frozen=True, slots=True)
class HolderChain:
    """One way in which objects are kept alive.

    Parameters
    ----------
    text : str
        Such as ``app.registry -> dict -> list -> Session``. Where asyncio tasks are in it, also how many of those that
        were checked nothing can wake.
    count : int
        Objects of the sample that are held so.
    share : float
        Their part of the sample.
    """

    text: str
    count: int
    share: float


def find_holders(
    type_name: str, *, seconds: float = 1.0, sample: int = SAMPLE, newest: int | None = None
) -> list[HolderChain]:
    """Find what keeps the objects of a type alive, the most common chain first.

    Parameters
    ----------
    type_name : str
        As `read_object_census` names it, such as ``app.Session``.
    seconds : float
        Of processor time of this thread; then no further level is visited, and one may be under way.
    sample : int
        Objects of the type to follow, at most.
    newest : int, optional
        Follow some of the last `newest` ones, without the youngest where most of them outlived collections; spread over
        all when not given. What a program leaks is among them, while all objects of a type such as ``dict`` are mostly
        those of its modules.

    Returns
    -------
    list of HolderChain
        Empty when there are no such objects. Those whose chain did not end in time are under ``... -> type``.
    """
    chosen = _list_newest(type_name, newest) if newest else _list_objects(type_name, None)
    chosen = chosen[:: max(1, -(-len(chosen) // sample))]
    return find_object_holders(chosen, seconds=seconds)


def _list_newest(type_name: str, newest: int) -> list[Any]:
    """Return objects of a type that came last, from the oldest generations of the collector that have most of them.

    A program that makes few containers has no full collection for minutes: then its new objects are all young.
    """
    by_age = [_list_objects(type_name, generation) for generation in GENERATIONS]
    before = sum(map(len, by_age)) - newest
    listed: list[Any] = []
    for group in by_age:
        listed += group
        if before > 0 and len(listed) - before >= MIN_OUTLIVED_SHARE * newest:
            break
    return listed[max(0, before) :]


def _list_objects(type_name: str, generation: int | None) -> list[Any]:
    """Return the objects of a type that are tracked; of all generations where none is given."""
    objects = gc.get_objects(generation=generation)
    kinds = {id(type(item)): type(item) for item in objects}
    named = {key for key, kind in kinds.items() if name_type(kind) == type_name}
    return [item for item in objects if id(type(item)) in named]


def find_object_holders(chosen: list[Any], *, seconds: float = 1.0) -> list[HolderChain]:
    """Find what keeps these objects alive, the most common chain first; the list itself is no holder.

    Parameters
    ----------
    chosen : list
        Objects that the garbage collector tracks.
    seconds : float
        Of processor time of this thread; then no further level is visited, and one may be under way.
    """
    if not chosen:
        return []
    deadline = time.thread_time() + seconds
    climb = _climb(chosen, deadline=deadline)
    texts = {id(item): climb.describe(item) for item in chosen}
    tasks = {id(item): task for item in chosen if (task := climb.find_task(item)) is not None}
    climb.close()
    notes = _note_stranded(texts, tasks, chosen, seconds=max(MIN_TASKS_SHARE * seconds, deadline - time.thread_time()))
    return [
        HolderChain(text + notes.get(text, ""), count, count / len(chosen))
        for text, count in Counter(texts.values()).most_common()
    ]


def describe_holders(chosen: list[Any], *, seconds: float) -> list[str]:
    """Describe the chain that holds each of these objects; the list itself is no holder.

    Parameters
    ----------
    chosen : list
        Objects, also those that the garbage collector does not track.
    seconds : float
        Of processor time of this thread; then no further level is visited, and one may be under way.
    """
    climb = _climb(chosen, deadline=time.thread_time() + seconds)
    texts = [climb.describe(item) for item in chosen]
    climb.close()
    return texts


def _climb(chosen: list[Any], *, deadline: float) -> "_Climb":
    climb = _Climb(chosen)
    climb.ignore(chosen)
    while climb.is_open and time.thread_time() < deadline:
        climb.go_up()
    return climb


def _note_stranded(
    texts: Mapping[int, str], tasks: Mapping[int, Any], chosen: list[Any], *, seconds: float
) -> dict[str, str]:
    """Return, by chain, how many of the tasks in it that were checked nothing can wake; nothing where it is none."""
    checked = list(tasks)[:: max(1, -(-len(tasks) // CHECKED_TASKS))]
    stranded = find_stranded_tasks(
        {id(tasks[key]): tasks[key] for key in checked}.values(), ours=chosen, seconds=seconds
    )
    of_chain = Counter(texts[key] for key in checked)
    found = Counter(texts[key] for key in checked if id(tasks[key]) in stranded)
    return {text: f" (nothing can wake {count} of {of_chain[text]} tasks checked)" for text, count in found.items()}


def find_growing_type(
    before: Mapping[str, int], census: Sequence[Mapping[str, Any]], *, least: int = MIN_GROWTH
) -> str | None:
    """Name the type that grew most in number; one of the program's own before those of Python, and none of ours.

    Parameters
    ----------
    before : mapping
        Objects of each type in an earlier census.
    census : rows of `read_object_census`
        The later one.
    least : int
        A type grows from this many more objects on.
    """
    growth = {row["type"]: row["count"] - before.get(row["type"], 0) for row in census if not _is_own_type(row["type"])}
    own = {name: grown for name, grown in growth.items() if "." in name and grown >= least}
    found = own or {name: grown for name, grown in growth.items() if grown >= least}
    return max(found, key=lambda name: found[name]) if found else None


def _is_own_type(name: str) -> bool:
    """Whether memanalysis made the objects; its examples are programs like those of others."""
    return name.startswith("memanalysis.") and not name.startswith("memanalysis.examples.")


class _Climb:
    """From a few objects up to what holds them, level by level, each object's shortest way kept."""

    def __init__(self, chosen: list[Any]) -> None:
        self._holder: dict[int, Any] = {}  # by the id of what is held
        self._roots: dict[int, str] = {}  # by the id of what is held by a name
        self._kept = list(chosen)  # ids stay true while the objects live
        self._frontier = list(chosen)
        self._open = {id(item) for item in chosen}
        self._seen = {id(item) for item in chosen}
        self._ignored: set[int] = set()
        self._level = 0
        self._modules = {id(names): name for name, names in _iter_module_names()}
        self._locals = list_running_locals(skip="memanalysis.")
        self.ignore(self._holder, self._roots, self._kept, self._modules, self._locals)
        self._name_roots(self._frontier)

    @property
    def is_open(self) -> bool:
        """Whether there is a level above."""
        return bool(self._frontier) and self._level < MAX_LEVELS

    def ignore(self, *ours: object) -> None:
        """Pass over these as holders: they hold what they hold because of us."""
        self._ignored.update(map(id, ours))

    def go_up(self) -> None:
        """Go one level further up."""
        below = {id(item) for item in self._frontier}
        frontier = self._frontier
        self.ignore(frontier, below, self._kept, sys._getframe(), sys._getframe(1))
        above: list[Any] = []
        self.ignore(above)
        found = find_referrers(frontier)
        self.ignore(found)
        for holder in found:
            if id(holder) in self._ignored or id(holder) in self._seen or _is_of_ours(holder):
                continue
            held = [id(item) for item in gc.get_referents(holder) if id(item) in below]
            module = self._modules.get(id(holder))
            if module is not None:
                self._name_globals(module, holder, set(held))
                continue
            fresh = [key for key in held if key not in self._holder and key not in self._roots]
            if fresh:
                self._holder.update(dict.fromkeys(fresh, holder))
                self._seen.add(id(holder))
                self._kept.append(holder)
                above.append(holder)
        found.clear()  # it holds frames, and one of them may hold it
        self._frontier = above[:MAX_AT_A_LEVEL]
        self._name_roots(self._frontier)
        self._level += 1

    def close(self) -> None:
        """Let go of everything."""
        self._holder.clear()
        self._kept.clear()
        self._frontier.clear()

    def describe(self, item: Any) -> str:
        """Describe the chain that holds an object, from its root down."""
        chain = self._list_chain(item)
        return describe_chain(self._roots.get(id(chain[-1])), list(reversed(chain)))

    def find_task(self, item: Any) -> Any:
        """Return the waiting task that is nearest to an object in its chain, None where there is none."""
        return next((link for link in self._list_chain(item) if is_waiting_task(link)), None)

    def _list_chain(self, item: Any) -> list[Any]:
        chain = [item]
        while id(chain[-1]) not in self._roots and id(chain[-1]) in self._holder and len(chain) <= MAX_LEVELS + 1:
            chain.append(self._holder[id(chain[-1])])
        return chain

    def _name_globals(self, module: str, names: dict[str, Any], held: set[int]) -> None:
        for name, value in list(names.items()):
            if id(value) in held and type(name) is str:
                self._roots.setdefault(id(value), f"{module}.{name}")

    def _name_roots(self, items: Iterable[Any]) -> None:
        for item in items:
            if id(item) in self._locals:
                self._roots.setdefault(id(item), self._locals[id(item)])


def _iter_module_names() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and variables of each module, by the name it has itself: ``multiprocessing`` calls ``__main__`` another."""
    for name, module in list(sys.modules.items()):
        if issubclass(type(module), ModuleType):  # some that are none give themselves out for one by their __class__
            names = object.__getattribute__(module, "__dict__")  # past the ``__getattribute__`` of a lazy module
            if type(names) is dict:
                own = names.get("__name__")
                yield (own if type(own) is str and sys.modules.get(own) is module else name), names


def _is_of_ours(holder: object) -> bool:
    """Return whether a holder is only there because of this search."""
    return isinstance(holder, FrameType) and holder.f_globals.get("__name__", "").startswith("memanalysis.")
