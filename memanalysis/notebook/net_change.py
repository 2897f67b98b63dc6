"""What did a cell let go of, and what holds what it made? From the user's large values before and after it.

Only what was seen is reported: a value is gone where its weak reference is dead, and a container of small objects where
the number of Python's blocks fell by about its items. A rebound name raised the peak where the new value was made while
the old one lived, which the source of the cell shows.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from memanalysis.notebook.named_values import MIN_BYTES, NamedValue, walk_names

__all__ = ["NetChange", "UserValues", "find_rebound_line"]

MIN_BLOCKS_SHARE = 0.5
"""A container counts as gone where at least this share of its items' blocks is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetChange:
    """Large values that a cell freed, and large values that it made."""

    gone: Sequence[NamedValue] = ()
    made: Sequence[NamedValue] = ()

    @property
    def gone_bytes(self) -> int:
        """What was there before the cell and is no more."""
        return sum(value.size_bytes for value in self.gone)


class UserValues:
    """The values of the user's names before a cell."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._before = walk_names(names)
        self._blocks_before = sys.getallocatedblocks()

    def explain(self, rise_bytes: int) -> bool:
        """Return whether large values that came and went explain a rise, and none that went is still there."""
        after = walk_names(self._names)
        came_bytes = sum(value.size_bytes for value in self._list_made(after))
        went = [value for key, value in self._before.items() if key not in after]
        unseen_bytes = sum(value.size_bytes for value in went if value.is_gone is None)
        return all(value.is_gone is not False for value in went) and rise_bytes < came_bytes - unseen_bytes + MIN_BYTES

    def compare(self, *, new_blocks: float) -> NetChange:
        """Compare with now, after a garbage collection.

        Parameters
        ----------
        new_blocks : float
            Blocks that the cell made and that still live.
        """
        after = walk_names(self._names)
        gone = [value for value in self._before.values() if value.is_gone]
        freed_blocks = self._blocks_before + new_blocks - sys.getallocatedblocks()
        for key, value in self._before.items():
            still = after.get(key)
            is_there = still is not None and still.kind is value.kind and still.n_items == value.n_items
            if value.n_items and not is_there and freed_blocks >= MIN_BLOCKS_SHARE * value.n_items:
                gone.append(value)
                freed_blocks -= value.n_items
        return NetChange(gone=gone, made=sorted(self._list_made(after), key=lambda value: -value.size_bytes))

    def _list_made(self, after: Mapping[int, NamedValue]) -> list[NamedValue]:
        return [grown for key, value in after.items() if (grown := _find_growth(self._before.get(key), value))]


def find_rebound_line(source: str, name: str, names: Mapping[str, Any]) -> tuple[int, bool] | None:
    """Return the line that gives a name another value, and whether ``del`` before it would be harmless.

    None where the cell assigns the name more than once, within a block, or deletes it: then the source does not show
    that old and new were alive together.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    if (
        any(isinstance(node.ctx, ast.Del) for node in found)
        or sum(isinstance(node.ctx, ast.Store) for node in found) != 1
    ):
        return None
    statement = next(
        (
            each
            for each in tree.body
            if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in each.targets)
        ),
        None,
    )
    if statement is None:
        return None
    is_read = any(isinstance(node.ctx, ast.Load) and node.lineno <= (statement.end_lineno or 0) for node in found)
    called = [names.get(node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)]
    is_used = any(name in each.__code__.co_names for each in called if isinstance(each, FunctionType))
    return statement.lineno, not (is_read or is_used)


def _find_growth(before: NamedValue | None, value: NamedValue) -> NamedValue | None:
    """What is new of a value: all of it, or what a container grew by; None where it was there before."""
    if before is None or before.kind is not value.kind or before.is_gone:
        return value  # new, or at an address that is used again
    grown = value.size_bytes - before.size_bytes
    return replace(value, size_bytes=grown) if grown >= MIN_BYTES else None
