"""Which asyncio tasks can never go on? Those whose awaited future nothing refers to but tasks of the same fate.

A task waits until its future is done. Only what can reach the future can do that: a queue's other end, a timer of the
loop, a thread. Where each reference to the future, and each to what holds it, is that of a task that waits in the same
way, nothing is left that could wake it. It can still be cancelled by whoever holds the task itself, which counts where
that is sure to happen: under ``asyncio.timeout``, which ``asyncio.wait_for`` uses from Python 3.12 on.

Every reference is accounted for: one that the garbage collector cannot attribute, such as of C code, of a running frame
or a weak one, counts as a way to wake the task. So does all that changes meanwhile: other threads go on. Nothing of the
watched program runs.

Method: partial deadlock by reachability, as in Saioc, Lee and Moller (2025), "Dynamic Partial Deadlock Detection and
Recovery via Garbage Collection", ASPLOS, there for goroutines.
"""

import gc
import sys
import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from types import FrameType, ModuleType
from typing import Any

from memanalysis.capture.referrers import find_referrers

__all__ = ["find_stranded_tasks", "is_waiting_task"]

MAX_NODES = 300
"""Objects that are followed, since each is compared with every reference of the process: what is held by more counts as
something that can be woken."""

_PROBE = -1
"""No id: the place of an object that only the search itself refers to."""


def find_stranded_tasks(items: Iterable[Any], *, ours: Sequence[Any] = (), seconds: float = 1.0) -> set[int]:
    """Return the ids of those among the items that are asyncio tasks which nothing can wake.

    Parameters
    ----------
    items : iterable of objects
        Others than tasks are passed over; some tens of tasks at most.
    ours : sequence
        What it refers to is not referred to by the program for that.
    seconds : float
        Of processor time of this thread; then no further level is visited, and what is open counts as a task that can
        be woken.
    """
    tasks = [item for item in items if is_waiting_task(item)]
    if not tasks:
        return set()
    search = _Search(tasks, ours)
    search.climb(time.thread_time() + seconds)
    return search.list_stranded()


def is_waiting_task(item: Any) -> bool:
    """Return whether it is a task of the interpreter's own type that waits for a future."""
    return type(item) is _find_task_type() and getattr(item, "_fut_waiter", None) is not None


def _is_done(item: Any) -> bool:
    """Return whether it is a future that is done: the loop wakes its tasks in its next round."""
    kind = getattr(sys.modules.get("_asyncio"), "Future", None)
    return kind is not None and issubclass(type(item), kind) and bool(kind.done(item))


def _find_task_type() -> type | None:
    return getattr(sys.modules.get("_asyncio"), "Task", None)


def _index_tasks() -> dict[int, list[Any]]:
    """Return the tasks that refer to each object by its id.

    CPython 3.11 leaves the callbacks of a task out of what ``gc.get_referrers`` sees, not of ``gc.get_referents``.
    """
    kind = _find_task_type()
    found: dict[int, list[Any]] = {}
    for task in [item for item in gc.get_objects() if type(item) is kind]:
        for key in map(id, gc.get_referents(task)):
            found.setdefault(key, []).append(task)
    return found


def _find_tasks_with_timeout() -> set[int]:
    """Return the ids of the tasks that a running ``asyncio.timeout`` will cancel."""
    kind = getattr(sys.modules.get("asyncio.timeouts"), "Timeout", None)
    found = [item for item in gc.get_objects() if kind is not None and type(item) is kind]
    return {id(item._task) for item in found if getattr(item, "_timeout_handler", None) is not None}


def _is_reached(holder: Any) -> bool:
    """Return whether a program that runs reaches it at once, so that it need not be followed."""
    kind = type(holder)
    if kind is dict:
        module = sys.modules.get(name) if type(name := holder.get("__name__")) is str else None
        return type(module) is ModuleType and module.__dict__ is holder
    loop = getattr(sys.modules.get("asyncio.events"), "AbstractEventLoop", FrameType)
    return issubclass(kind, (ModuleType, FrameType, type, loop)) or kind is _find_task_type()


class _Search:
    """What holds the futures that tasks wait for, upwards until only tasks are left."""

    def __init__(self, tasks: list[Any], ours: Sequence[Any]) -> None:
        self._tasks: dict[int, Any] = {}
        self._awaited: dict[int, int] = {}  # by the id of the task
        self._nodes: dict[int, Any] = {_PROBE: object()}
        self._ours = {id(tasks), id(self._tasks), id(self._nodes)}
        self._known = id(ours)
        self._level: list[Any] = []
        self._task_holders = _index_tasks()
        for task in tasks:
            self._add_task(task)

    def climb(self, deadline: float) -> None:
        """Collect the holders, level by level."""
        while self._level and len(self._nodes) < MAX_NODES and time.thread_time() < deadline:
            found = find_referrers(self._level)
            for node in self._level:
                found += self._task_holders.get(id(node), ())
            node = None
            ours = self._ours | {self._known, id(self._level), id(found)}
            self._level.clear()
            for holder in found:
                if id(holder) in ours or id(holder) in self._nodes or id(holder) in self._tasks:
                    continue
                if is_waiting_task(holder):
                    self._add_task(holder)
                elif not _is_reached(holder):
                    self._add_node(holder)
            found.clear()
            holder = None

    def _add_task(self, task: Any) -> None:
        """Follow the future that a task waits for; what holds the task cannot wake it."""
        self._tasks[id(task)] = task
        future = task._fut_waiter
        if future is None:
            return
        self._awaited[id(task)] = id(future)
        if is_waiting_task(future):
            if id(future) not in self._tasks:
                self._add_task(future)
        elif id(future) not in self._nodes:
            self._add_node(future)

    def _add_node(self, item: Any) -> None:
        self._nodes[id(item)] = item
        self._level.append(item)

    def list_stranded(self) -> set[int]:
        """Check all references at one moment, and follow what is alive down to the tasks."""
        nodes = list(self._nodes.values())
        found = find_referrers(nodes)
        ours = self._ours | {id(nodes), id(found)}
        del nodes
        edges: Counter[int] = Counter()
        held: defaultdict[int, set[int]] = defaultdict(set)
        alive: set[int] = set()
        found += self._tasks.values()
        for holder in {id(each): each for each in found}.values():
            key = id(holder)
            if key in ours:
                continue
            below = [id(item) for item in gc.get_referents(holder) if id(item) in self._nodes]
            if key in self._nodes or key in self._tasks or key == self._known:
                edges.update(below)
                held[key].update(below)
            else:
                alive.update(below)
        found.clear()
        holder = None
        counts = {key: sys.getrefcount(node) for key, node in self._nodes.items()}
        alive.update(key for key, count in counts.items() if count > counts[_PROBE] + edges[key])
        alive.update(key for key, node in self._nodes.items() if weakref.getweakrefcount(node))
        alive.update(key for key, task in self._tasks.items() if id(task._fut_waiter) != self._awaited.get(key))
        alive.update(key for key, node in self._nodes.items() if _is_done(node))
        alive.update(self._tasks.keys() & _find_tasks_with_timeout())
        self._spread(alive, held)
        return self._awaited.keys() - alive

    def _spread(self, alive: set[int], held: "defaultdict[int, set[int]]") -> None:
        """Add what is reached from what is alive: by references, and from a future to the tasks that wait for it."""
        waiting: defaultdict[int, set[int]] = defaultdict(set)
        for task, future in self._awaited.items():
            waiting[future].add(task)
        left = list(alive)
        while left:
            key = left.pop()
            reached = (held[key] | waiting[key]) - alive
            alive |= reached
            left += reached
