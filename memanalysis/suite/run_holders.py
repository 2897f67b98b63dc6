"""Who holds what every run of a test keeps? Some runs more, between two walks over all containers.

Under tracing such a walk takes the longer the more frames are kept, so these runs are traced by the innermost frame
alone: it shows of each object whether one of the lines allocated it that the leak was found at.
"""

import gc
from _tracemalloc import _get_object_traceback
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from memanalysis.capture.containers import find_grown_containers, read_container_lengths
from memanalysis.capture.holders import HolderChain, find_object_holders
from memanalysis.capture.objects import name_type
from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.leaktest.finding import ContainerGrowth, TypeGrowth

__all__ = ["HeldByRuns", "find_held"]

register_wrapper_frame(__file__)

RUNS = 2

MAX_CONTAINERS = 3
MAX_CHECKED = 200
"""Containers that became longer and are checked for what they hold."""

LAST_ENTRIES = 64
"""Entries of a container that are checked: lists and dicts have the newest last."""

MAX_TYPES = 5
HELD_SAMPLE = 50
HOLDERS_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByRuns:
    """What runs keep, by type and by who holds it: as in `memanalysis.leaktest.finding.LeakFinding`.

    ``is_filling`` shows whether caches or deques with a bound are all that became longer.
    """

    types: tuple[TypeGrowth, ...] = ()
    containers: tuple[ContainerGrowth, ...] = ()
    holders: tuple[HolderChain, ...] = ()
    is_filling: bool = False


def find_held(run: Callable[[], str | None], lines: Set[tuple[str, int]]) -> HeldByRuns:
    """Run a test twice more, and find what holds the objects that some lines allocated meanwhile.

    Parameters
    ----------
    run : callable
        Runs the test; gives a reason where that did not pass.
    lines : set of (file, line)
        The innermost frames of what is kept.
    """
    gc.collect()
    lengths = read_container_lengths()
    tracing = TracingUse(trace_limit=1)
    tracing.start()
    try:
        for _ in range(RUNS):
            if run() is not None:
                return HeldByRuns()
        gc.collect()
        return _find_held(lengths, lines)
    finally:
        tracing.stop()


def _find_held(lengths: dict[int, int], lines: Set[tuple[str, int]]) -> HeldByRuns:
    found = find_grown_containers(lengths, least=RUNS, most=MAX_CHECKED, ours=(lengths, lines))
    chosen: list[Any] = []
    grown: list[tuple[int, int | None]] = []
    kept: list[Any] = []
    for container, added, capacity in zip(found.containers, found.added, found.remaining_capacity, strict=True):
        entries = [item for item in gc.get_referents(container)[-LAST_ENTRIES:] if _is_of_lines(item, lines)]
        if (entries or capacity is not None) and len(chosen) < MAX_CONTAINERS:
            chosen.append(container)
            grown.append((added, capacity))
            kept += [item for item in entries if gc.is_tracked(item)]
        entries.clear()
    found.containers.clear()
    containers: list[ContainerGrowth] = []
    for added, capacity in grown:
        one = [chosen.pop(0)]
        text = find_object_holders(one, seconds=HOLDERS_S)[0].text
        containers.append(ContainerGrowth(text=text, entries_per_call=added / RUNS, remaining_capacity=capacity))
    if not kept:
        kept = [item for item in gc.get_objects() if _is_allocated_by(item, lines)]
    kinds = Counter(name_type(type(item)) for item in kept)
    del kept[HELD_SAMPLE:]
    holders = find_object_holders(kept, seconds=HOLDERS_S)
    kept.clear()
    return HeldByRuns(
        types=tuple(TypeGrowth(type=kind, objects_per_call=n / RUNS) for kind, n in kinds.most_common(MAX_TYPES)),
        containers=tuple(containers),
        holders=tuple(holders),
        is_filling=bool(containers) and all(row.remaining_capacity is not None for row in containers),
    )


def _is_of_lines(item: Any, lines: Set[tuple[str, int]]) -> bool:
    """Whether one of the lines allocated an object, or something that it refers to.

    CPython 3.11 has no traceback of instances whose attributes lie before them in memory.
    """
    if _is_allocated_by(item, lines):
        return True
    return not isinstance(item, type) and any(
        _is_allocated_by(inner, lines) for inner in gc.get_referents(item)[:LAST_ENTRIES]
    )


def _is_allocated_by(item: Any, lines: Set[tuple[str, int]]) -> bool:
    raw = _get_object_traceback(item)
    return raw is not None and raw[0] in lines
