"""What the memory of a process does while tasks run: the sums from which the growth with each kind of tasks is fitted.

Several tasks may run at a time, and memory is that of the whole process. So time is cut into intervals, and each task
counts as one that is spread evenly over the intervals in which it ran. What is added up are the sums of a least squares
fit of the growth to the tasks of each interval. `memanalysis.analysis` solves it.

Runs in the event loop of a Dask worker: it loads nothing heavy, and a task costs it some microseconds.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_PREFIXES", "OTHERS", "TaskAccounts"]

MIN_INTERVAL_S = 0.005
"""Between two readings of the memory: tasks that are shorter share one."""

MAX_PREFIXES = 24
"""Of a block: the table of pairs grows as the square."""

OTHERS = "(others)"
"""Stands for the prefixes of a block beyond that number."""

MAX_DURATIONS = 1_000
"""Prefixes whose mean duration is remembered; then all are forgotten."""

NEWEST_SHARE = 0.1
"""Weight of the last task in the mean duration of its prefix."""

Memory = dict[str, int | None]
"""Sizes by name, such as ``rss_bytes``; unknown is None."""


@dataclass(slots=True)
class _Running:
    prefix: str
    began: float
    counted: float = 0.0


class TaskAccounts:
    """Adds up what a process did since the last block.

    Parameters
    ----------
    read_memory : callable
        Gives the sizes to explain.
    monotonic : callable
        Gives seconds.
    """

    def __init__(self, read_memory: Callable[[], Memory], monotonic: Callable[[], float]) -> None:
        self._read_memory = read_memory
        self._monotonic = monotonic
        self._running: dict[Hashable, _Running] = {}
        self._durations: dict[str, float] = {}
        self._block_began = self._interval_began = monotonic()
        self._memory = read_memory()
        self._in_interval: dict[str, float] = defaultdict(float)
        self._clear()

    def begin(self, key: Hashable, prefix: str) -> None:
        """Note that a task begins to run."""
        now = self._monotonic()
        self._end_interval(now)
        self._running[key] = _Running(prefix, now)

    def end(self, key: Hashable) -> None:
        """Note that a task has run; one whose begin was not seen is left out."""
        task = self._running.pop(key, None)
        if task is None:
            return
        now = self._monotonic()
        self._in_interval[task.prefix] += 1 - task.counted
        self._finished[task.prefix] += 1
        self._note_duration(task.prefix, now - task.began)
        self._end_interval(now)

    def take_block(self) -> dict[str, Any] | None:
        """Return the sums since the last block, and begin the next; None where no task ran."""
        now = self._monotonic()
        self._end_interval(now, at_once=True)
        names = sorted(self._tasks, key=lambda name: -self._tasks[name])
        own, rest = names[:MAX_PREFIXES], names[MAX_PREFIXES:]
        groups = [[name] for name in own] + ([rest] if rest else [])
        block = None
        if groups:
            block = {
                "seconds": now - self._block_began,
                "prefixes": own + ([OTHERS] if rest else []),
                "finished": [sum(self._finished[name] for name in group) for group in groups],
                "tasks": [sum(self._tasks[name] for name in group) for group in groups],
                "together": [
                    [sum(self._together[one, other] for one in row for other in column) for column in groups]
                    for row in groups
                ],
                "growth_by_task": {
                    size: [sum(of_names[name] for name in group) for group in groups]
                    for size, of_names in self._grown.items()
                },
                "growth": dict(self._growth),
            }
        self._block_began = now
        self._clear()
        return block

    def _clear(self) -> None:
        self._finished: dict[str, int] = defaultdict(int)
        self._tasks: dict[str, float] = defaultdict(float)
        self._together: dict[tuple[str, str], float] = defaultdict(float)
        self._grown: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._growth: dict[str, float] = defaultdict(float)

    def _note_duration(self, prefix: str, seconds: float) -> None:
        if len(self._durations) >= MAX_DURATIONS:
            self._durations.clear()
        mean = self._durations.setdefault(prefix, seconds)
        self._durations[prefix] = mean + NEWEST_SHARE * (seconds - mean)

    def _end_interval(self, now: float, *, at_once: bool = False) -> None:
        """Read the memory, and count the tasks of the interval that ends; not yet where it is too short."""
        if now - self._interval_began < MIN_INTERVAL_S and not at_once:
            return
        for task in self._running.values():  # as much of it as of the time that its kind mostly takes
            expected_s = max(self._durations.get(task.prefix, 0.0), now - task.began)
            counted = (now - task.began) / expected_s if expected_s > 0 else 0.0
            self._in_interval[task.prefix] += counted - task.counted
            task.counted = counted
        memory, before = self._read_memory(), self._memory
        known = [(name, size, before[name]) for name, size in memory.items()]
        grown = {name: size - old for name, size, old in known if size is not None and old is not None}
        for name, size in grown.items():
            self._growth[name] += size
        for prefix, tasks in self._in_interval.items():
            self._tasks[prefix] += tasks
            for name, size in grown.items():
                self._grown[name][prefix] += tasks * size
            for other, others in self._in_interval.items():
                self._together[prefix, other] += tasks * others
        self._memory, self._interval_began = memory, now
        self._in_interval.clear()
