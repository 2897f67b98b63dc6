"""Describe what a cell let go of, what holds what it made, and how its peak would be lower: each only when true."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from memanalysis.notebook.measure import CellCost
from memanalysis.notebook.named_values import NamedValue, walk_names
from memanalysis.notebook.net_change import find_rebound_line
from memanalysis.units import MIB, format_bytes

__all__ = ["describe_error_locals", "describe_holders", "describe_rebound"]

MAX_NAMED = 3
"""Holders that one sentence names."""

MIN_SHARE = 0.5
"""A rebound name is worth a sentence where the line that made the new value held at least this much of the old."""

NEARLY_ALL = 0.9
"""A value of the cell has its own size where this share of it was retained: older memory that was freed is the rest."""


def describe_rebound(cost: CellCost, source: str, names: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each old value that lived while its name was given a new one, and so raised the peak."""
    sentences = []
    gone: dict[str, int] = defaultdict(int)
    for value in cost.net.gone:
        if value.path == value.name:
            gone[value.name] += value.size_bytes
    followed = cost.memory.followed_peak_bytes or cost.memory.peak_bytes or 0
    for name, size in gone.items():
        found = find_rebound_line(source, name, names)
        if found is None:
            continue
        number, is_free_to_go = found
        held = sum(
            line.highest_bytes for line in cost.lines if (line.place.file, line.place.line) == (cost.label, number)
        )
        if held < MIN_SHARE * size or followed >= held + size:  # a later line was higher, without the old value
            continue
        sentence = f"The old `{name}` ({format_bytes(size)}) was alive while {cost.label}:{number} made the new one"
        cure = f": `del {name}` before it lowers the peak." if is_free_to_go else "."
        sentences.append(sentence + cure)
    return sentences


def describe_holders(cost: CellCost, *, is_shown: bool = False) -> list[str]:
    """Return a sentence that names what holds the most of what the cell made, with the command that lets go of it.

    ``is_shown`` means that IPython holds the result too, which another sentence is about.
    """
    by_name: dict[str, list[NamedValue]] = defaultdict(list)
    for value in cost.net.made:
        by_name[value.name].append(value)
    sizes: dict[str, int] = {}
    by_path: dict[str, list[NamedValue]] = {}
    others: dict[str, tuple[str, ...]] = {}
    for name, values in by_name.items():
        paths = {value.path for value in values}
        path = paths.pop() if len(paths) == 1 else name
        sizes[path] = _limit_size(sum(value.size_bytes for value in values), max(cost.retained_bytes or 0, 0))
        by_path[path] = values
        others[path] = tuple(dict.fromkeys(other for value in values for other in value.others))
    largest = sorted((path for path in sizes if sizes[path] >= MIB), key=lambda path: -sizes[path])[:MAX_NAMED]
    if not largest:
        return []
    parts = []
    for path in largest:
        also = f", also as {_join([f'`{other}`' for other in others[path]])}" if others[path] else ""
        is_partly_sized = any(value.n_items for value in by_path[path]) and sizes[path] < (cost.retained_bytes or 0) / 2
        size = "" if is_partly_sized else f" ({format_bytes(sizes[path])}{also})"  # objects hold more than is seen
        parts.append(f"`{path}`{size}")
    return [f"Held by {_join(parts)}.{'' if is_shown else _describe_cure(largest, by_path)}"]


def _limit_size(size_bytes: int, retained_bytes: int) -> int:
    """The size of what a name holds; no more than was retained where that is much less, as other values are older."""
    return size_bytes if retained_bytes >= NEARLY_ALL * size_bytes else min(size_bytes, retained_bytes)


def _describe_cure(paths: Sequence[str], by_path: Mapping[str, Sequence[NamedValue]]) -> str:
    """What lets go of the largest value: nothing where something without a name holds it too, as a cache does."""
    if len(paths) > 1 or " " in paths[0]:
        return ""
    is_alone = all(value.n_holders == 1 and not value.others for value in by_path[paths[0]])
    if is_alone:
        return f" `del {paths[0]}` lets go."
    return "" if any(value.others for value in by_path[paths[0]]) else " Something without a name holds it too."


def describe_error_locals(error: BaseException | None, names: Mapping[str, Any]) -> str | None:
    """Return a sentence on large values that nothing but the traceback of an error holds; None where it holds none."""
    if error is None:
        return None
    reachable = walk_names(names)
    found: dict[int, tuple[str, NamedValue]] = {}
    step: TracebackType | None = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if frame.f_locals is not names and frame.f_locals is not frame.f_globals:
            for key, value in walk_names(frame.f_locals).items():
                if key not in reachable:
                    found.setdefault(key, (frame.f_code.co_name, value))
        step = step.tb_next
    total = sum(value.size_bytes for _, value in found.values())
    if total < MIB:
        return None
    function, largest = max(found.values(), key=lambda pair: pair[1].size_bytes)
    return (
        f"The traceback of this error holds `{largest.path}` of {function}() ({format_bytes(largest.size_bytes)} of "
        f"{format_bytes(total)}), until the next error. %memwatch release lets go of it."
    )


def _join(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
