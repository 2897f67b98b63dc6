"""Collect the garbage of a cell: by a full collection only where that may find what a collection of the young does not.

A full collection walks all objects of the process: 30 ms or more where a few libraries are loaded. Objects that the
cell made are young as long as Python itself collected none but the youngest meanwhile, and a collection of the young
finds their garbage. What else may be garbage was there before the cell: it shows as a large value that the user's names
no longer reach, or as resident memory that no name explains.
"""

import gc
import sys
import types
import weakref
from collections.abc import Mapping
from typing import Any

from memanalysis.notebook.net_change import UserValues

__all__ = ["CellGarbage"]

YOUNG = 1
"""Generation of the objects that survived one collection. A collection takes the younger ones too."""

KEEPS_YOUNG = sys.version_info < (3, 14)
"""Later collectors work on the old objects bit by bit, with the young."""

_BUILT_IN = (types.FunctionType, types.ModuleType, list, dict, set, frozenset, tuple)
"""What these hold is a value of its own, or small."""


class CellGarbage:
    """The garbage of one cell, between `start` and `collect`.

    Parameters
    ----------
    names : mapping
        The user's names.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._n_older = 0
        self._objects: dict[str, tuple[int, weakref.ref[Any] | None]] = {}

    def start(self, generation: int) -> None:
        """Collect up to a generation before the cell, and remember the objects that have a name."""
        gc.collect(generation)
        self._n_older = _count_older_collections()
        self._objects = {
            name: (id(value), _refer_to(value))
            for name, value in list(self._names.items())
            if not name.startswith("_") and gc.is_tracked(value) and not isinstance(value, _BUILT_IN)
        }

    def collect(self, values: UserValues | None, *, rise_bytes: int | None) -> None:
        """Collect after the cell.

        Parameters
        ----------
        values : UserValues or None
            Large values before the cell; None if they are not known.
        rise_bytes : int or None
            Memory in use now, over that before the cell.
        """
        has_only_young = KEEPS_YOUNG and _count_older_collections() == self._n_older
        gc.collect(YOUNG)
        is_explained = values is not None and rise_bytes is not None and values.explain(rise_bytes)
        if not (has_only_young and is_explained) or self._has_lost_objects():
            gc.collect()

    def _has_lost_objects(self) -> bool:
        """Whether a name no longer gives its object, and that is not known to be freed."""
        for name, (key, reference) in self._objects.items():
            is_freed = reference is not None and reference() is None
            if not is_freed and id(self._names.get(name)) != key:
                return True
        return False


def _count_older_collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats()[YOUNG:])


def _refer_to(value: Any) -> "weakref.ref[Any] | None":
    try:
        return weakref.ref(value)
    except TypeError:
        return None
