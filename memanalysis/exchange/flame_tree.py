"""Arrange the stacks of a heap as a tree of calls, and choose the boxes of a flame graph that can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from memanalysis.exchange.heap_profile import Frame, HeapProfile
from memanalysis.exchange.sample_values import Shown, choose_size

__all__ = ["CallTree", "Step", "grow_tree", "list_steps"]

MIN_SHARE = 0.001
"""Of the whole: one pixel on a screen of 1,000. What has less is left blank."""

MAX_BOXES = 1_500
"""The largest: a page of some 600 KB."""

MAX_DEPTH = 200
"""Frames drawn below each other. Browsers nest at most 512 elements, and a frame takes two."""


@dataclass(slots=True)
class CallTree:
    """One frame below its callers: bytes that are drawn, and of both measures, of all that it calls."""

    frame: Frame | None
    depth: int
    size_bytes: int = 0
    live_bytes: int = 0
    grown_bytes: int = 0
    calls: dict[Frame, "CallTree"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of drawing: open a box, leave a blank beside the boxes in it, or close it."""

    kind: Literal["open", "blank", "close"]
    tree: CallTree
    size_bytes: int


def grow_tree(profile: HeapProfile, shown: Shown) -> CallTree:
    """Return the root, which holds all stacks that are live, or that grew."""
    size = choose_size(shown)
    root = CallTree(None, 0)
    for use in profile.uses:
        size_bytes = size.read(use)
        if size_bytes <= 0:
            continue
        tree = root
        _add(tree, size_bytes, use.live_bytes, use.grown_bytes or 0)
        for frame in use.frames[:MAX_DEPTH]:
            tree = tree.calls.setdefault(frame, CallTree(frame, tree.depth + 1))
            _add(tree, size_bytes, use.live_bytes, use.grown_bytes or 0)
    return root


def list_steps(root: CallTree) -> Iterator[Step]:
    """Yield what to draw, from the root inwards, the largest call first; boxes too small to be seen are blank."""
    seen_bytes = max(root.size_bytes * MIN_SHARE, _size_of_last(root))
    waiting = [Step("open", root, root.size_bytes)]
    while waiting:
        step = waiting.pop()
        yield step
        if step.kind != "open":
            continue
        calls = sorted(step.tree.calls.values(), key=lambda call: call.size_bytes, reverse=True)
        seen = [call for call in calls if call.size_bytes >= seen_bytes]
        blank_bytes = step.size_bytes - sum(call.size_bytes for call in seen)
        inner = [Step("open", call, call.size_bytes) for call in seen]
        blank = [Step("blank", step.tree, blank_bytes)] if seen and blank_bytes else []
        waiting += reversed([*inner, *blank, Step("close", step.tree, 0)])


def _add(tree: CallTree, size_bytes: int, live_bytes: int, grown_bytes: int) -> None:
    tree.size_bytes += size_bytes
    tree.live_bytes += live_bytes
    tree.grown_bytes += grown_bytes


def _size_of_last(root: CallTree) -> int:
    """Bytes that a box needs, so that there are at most `MAX_BOXES`."""
    sizes, waiting = [], [root]
    while waiting:
        tree = waiting.pop()
        sizes.append(tree.size_bytes)
        waiting += tree.calls.values()
    sizes.sort(reverse=True)
    return sizes[MAX_BOXES] + 1 if len(sizes) > MAX_BOXES else 0
