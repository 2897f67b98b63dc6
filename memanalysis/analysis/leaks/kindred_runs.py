"""Which runs have to be judged together: those that may be one family of processes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from memanalysis.analysis.arrays import IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Groups", "find_kindred"]


class Groups:
    """Numbers from 0 that are joined into groups (a union-find structure, Tarjan 1975)."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))

    def join(self, first: int, second: int) -> None:
        """Put two numbers, and all that are with them, into one group."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parents[high] = low

    def find(self, number: int) -> int:
        """Return the lowest number of a group."""
        root = number
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[number] != root:
            self._parents[number], number = root, self._parents[number]
        return root


def find_kindred(runs: "pd.DataFrame") -> IntArray:
    """Return the group of each row of ``runs``: no family of `find_families` has members in two groups.

    Rows are in one group where a run is of the process that another names as its parent or program, or where both name
    one program, or are of one service and name one parent. A pid that was used twice may join what is no family.

    Parameters
    ----------
    runs : DataFrame
        ``service``, ``run_id``, ``host``, ``pid``, ``parent_pid`` and ``program_pid`` of each run.
    """
    groups = Groups(len(runs))
    first_of: dict[tuple[Any, ...], int] = {}
    rows = runs[["service", "host", "pid", "parent_pid", "program_pid"]].astype(object)
    rows = rows.where(rows.notna(), None)
    for place, (service, host, pid, parent, program) in enumerate(rows.itertuples(index=False, name=None)):
        keys: list[tuple[Any, ...]] = [] if pid is None else [("pid", host, pid)]
        keys += [] if program is None else [("program", host, program)]
        keys += [] if parent is None else [("siblings", host, parent, service)]
        for key in keys:
            groups.join(place, first_of.setdefault(key, place))
    for place, (_, host, _, parent, program) in enumerate(rows.itertuples(index=False, name=None)):
        for named in (parent, program):
            other = None if named is None else first_of.get(("pid", host, named))
            if other is not None:
                groups.join(place, other)
    return np.array([groups.find(place) for place in range(len(runs))], dtype=np.int64)
