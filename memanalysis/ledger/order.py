"""Are the rows of a file in order already? What a sealed file says of itself, so that nobody has to sort it again.

The order of a table is by service, run, ``seq``, and time. A file of one run whose rows came so states its run and the
first and last of these keys in its footer, and whether they lie so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memanalysis.schema import TABLES

__all__ = ["ORDER_KEY", "FileOrder", "OrderCheck", "is_in_order", "is_sorted", "parse_order", "time_keys"]

ORDER_KEY = "memanalysis.order"

_TIME_KEYS = ("seq", "timestamp", "started")


@dataclass(frozen=True, slots=True)
class FileOrder:
    """Rows of one run from the key ``first`` to the key ``last``, lying ``by`` time, or by site."""

    service: str
    run_id: str
    first: list[int]
    last: list[int]
    by: str = "time"


class OrderCheck:
    """Looks at the rows of a file as they are written."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._keys = time_keys(table)
        self._found: FileOrder | None = None
        self._is_ordered = True

    def look_at(self, rows: pa.Table) -> None:
        """Look at the next rows of the file."""
        if not self._is_ordered:
            return
        found = _order_of(rows, self._keys)
        before = self._found
        if found is None or (before is not None and not _follows(before, found)):
            self._is_ordered = False
            return
        first = found.first if before is None else before.first
        self._found = FileOrder(found.service, found.run_id, first, found.last)

    @property
    def found(self) -> FileOrder | None:
        """What was found of all rows together; None if they are not in order."""
        return self._found if self._is_ordered else None

    def to_metadata(self) -> dict[str, str]:
        """Give what the footer is to say; nothing, if the rows are not in order."""
        by = "site" if self._table == "sites" else "time"
        return {} if self.found is None else {ORDER_KEY: json.dumps({**asdict(self.found), "by": by})}


def time_keys(table: str) -> list[str]:
    """Columns that give the order within a run, the first the coarsest."""
    return [name for name in _TIME_KEYS if name in TABLES[table]]


def parse_order(metadata: Mapping[bytes, bytes], table: str) -> FileOrder | None:
    """Read what a footer says of the order; None if it says nothing that can be used."""
    try:
        found = json.loads(metadata.get(ORDER_KEY.encode(), b"null"))
        order = FileOrder(found["service"], found["run_id"], found["first"], found["last"], found["by"])
        n_keys = len(time_keys(table))
        ends = (order.first, order.last)
        texts = isinstance(order.service, str) and isinstance(order.run_id, str)
        whole = all(len(end) == n_keys and all(type(key) is int for key in end) for end in ends)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return order if texts and whole else None


def is_in_order(orders: Sequence[FileOrder]) -> bool:
    """Tell whether files one after the other, sorted by `sort_key`, hold rows in order."""
    return all((a.service, a.run_id) != (b.service, b.run_id) or a.last <= b.first for a, b in pairwise(orders))


def _order_of(rows: pa.Table, keys: Sequence[str]) -> FileOrder | None:
    if not rows.num_rows or not {"service", "run_id", *keys} <= set(rows.column_names):
        return None
    columns = [rows[name] for name in ("service", "run_id", *keys)]
    if any(column.null_count for column in columns):
        return None
    services, runs = columns[0].unique(), columns[1].unique()
    if len(services) != 1 or len(runs) != 1:
        return None
    numbers = [column.cast(pa.int64()).to_numpy() for column in columns[2:]]
    if not is_sorted(numbers):
        return None
    first, last = ([int(column[end]) for column in numbers] for end in (0, -1))
    return FileOrder(services[0].as_py(), runs[0].as_py(), first, last)


def _follows(before: FileOrder, after: FileOrder) -> bool:
    return (before.service, before.run_id) == (after.service, after.run_id) and before.last <= after.first


def is_sorted(keys: Sequence[NDArray[np.int64]]) -> bool:
    """Tell whether rows with these keys, the first the coarsest, are in order."""
    undecided = np.ones(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in keys:
        before, after = key[:-1], key[1:]
        if bool(np.any(undecided & (after < before))):
            return False
        undecided &= after == before
    return True
