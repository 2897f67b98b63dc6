"""Which garbage of a cell is collected, and when does that take a full collection?"""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from memanalysis.notebook.cell_garbage import CellGarbage
from memanalysis.notebook.net_change import UserValues
from memanalysis.units import MIB

SIZE_BYTES = 8 * MIB


class Node:
    """An object in a cycle, which holds an array."""

    def __init__(self) -> None:
        self.me = self
        self.data = np.ones(SIZE_BYTES // 8)


@contextmanager
def counted_full_collections() -> Iterator[list[int]]:
    found: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


@pytest.fixture
def names() -> dict[str, Any]:
    """Names of a user, whose values have been there for a while."""
    node = Node()
    found = {"node": node, "array": np.ones(SIZE_BYTES // 8), "text": "x" * SIZE_BYTES, "rows": [[] for _ in range(9)]}
    gc.collect()
    return found


def collect_after(names: dict[str, Any], cell: str, *, rise_bytes: int) -> bool:
    """Whether the garbage of a cell took a full collection."""
    garbage = CellGarbage(names)
    garbage.start(1)
    values = UserValues(names)
    exec(cell, {"np": np, "Node": Node, "gc": gc, "weakref": weakref}, names)  # noqa: S102 - a cell of the test
    with counted_full_collections() as found:
        garbage.collect(values, rise_bytes=rise_bytes)
    return bool(found)


@pytest.mark.parametrize(
    ("cell", "rise_bytes"),
    [
        ("total = array.sum()", 0),
        ("other = array * 2", SIZE_BYTES),
        ("array = array * 2", 0),
        ("text = text + text", SIZE_BYTES),
        ("del array", -SIZE_BYTES),
        ("rows.append([1])", 0),
    ],
)
def test_what_names_explain_takes_no_full_collection(names: dict[str, Any], cell: str, rise_bytes: int):
    assert not collect_after(names, cell, rise_bytes=rise_bytes)


@pytest.mark.parametrize(
    ("cell", "rise_bytes"),
    [
        ("del node", 0),
        ("node = None", 0),
        ("node = Node()", SIZE_BYTES),
        ("node.data = None", 4 * MIB),
        ("rows[0].append([1])", 4 * MIB),
        ("gc.collect(1)", 0),
    ],
)
def test_what_may_be_old_garbage_takes_a_full_collection(names: dict[str, Any], cell: str, rise_bytes: int):
    assert collect_after(names, cell, rise_bytes=rise_bytes)


def test_garbage_of_the_cell_is_collected_by_a_young_collection(names: dict[str, Any]):
    took_full = collect_after(names, "made = Node(); seen = weakref.ref(made); del made", rise_bytes=0)

    assert not took_full
    assert names["seen"]() is None


def test_old_objects_that_a_cell_dropped_are_collected(names: dict[str, Any]):
    seen = weakref.ref(names["node"])

    collect_after(names, "del node", rise_bytes=0)

    assert seen() is None
