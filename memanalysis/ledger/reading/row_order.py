"""The order of the rows of a file, as a sealed file states it, so that nobody has to sort it again.

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
    """Rows from the key ``first`` of a run to the key ``last``, lying ``by`` time, or by site.

    The last row is of ``last_run_id`` where the file has several runs; in a file of one run that is None.
    """

    service: str
    run_id: str
    first: list[int]
    last: list[int]
    by: str = "time"
    last_run_id: str | None = None

    @property
    def end(self) -> tuple[str, list[int]]:
        """Run and key of the last row."""
        return self.last_run_id or self.run_id, self.last


class OrderCheck:
    """Checks the order of the rows of a file as they are written."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._keys = time_keys(table)
        self._found: FileOrder | None = None
        self._is_ordered = True

    def update(self, rows: pa.Table) -> None:
        """Check the next rows of the file."""
        if not self._is_ordered:
            return
        found = _order_of(rows, self._keys)
        before = self._found
        if found is None or (before is not None and not _follows(before, found)):
            self._is_ordered = False
            return
        first = found.first if before is None else before.first
        run_id, last_run_id = (found if before is None else before).run_id, found.end[0]
        several = last_run_id if last_run_id != run_id else None
        self._found = FileOrder(found.service, run_id, first, found.last, last_run_id=several)

    @property
    def found(self) -> FileOrder | None:
        """What was found of all rows together; None if they are not in order."""
        return self._found if self._is_ordered else None

    def to_metadata(self) -> dict[str, str]:
        """Return what goes into the footer; empty if the rows are not in order."""
        by = "site" if self._table == "sites" else "time"
        if self.found is None:
            return {}
        stated = {name: value for name, value in asdict(self.found).items() if value is not None}
        return {ORDER_KEY: json.dumps({**stated, "by": by})}


def time_keys(table: str) -> list[str]:
    """Columns that give the order within a run, the first the coarsest."""
    return [name for name in _TIME_KEYS if name in TABLES[table]]


def parse_order(metadata: Mapping[bytes, bytes], table: str) -> FileOrder | None:
    """Read the order that a footer states; None if it states none that can be used."""
    try:
        found = json.loads(metadata.get(ORDER_KEY.encode(), b"null"))
        order = FileOrder(
            found["service"], found["run_id"], found["first"], found["last"], found["by"], found.get("last_run_id")
        )
        n_keys = len(time_keys(table))
        ends = (order.first, order.last)
        texts = isinstance(order.service, str) and isinstance(order.run_id, str) and isinstance(order.end[0], str)
        whole = all(len(end) == n_keys and all(type(key) is int for key in end) for end in ends)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return order if texts and whole else None


def is_in_order(orders: Sequence[FileOrder]) -> bool:
    """Return whether files one after the other, sorted by `sort_key`, hold rows in order."""
    return all(a.service != b.service or a.end <= (b.run_id, b.first) for a, b in pairwise(orders))


def _order_of(rows: pa.Table, keys: Sequence[str]) -> FileOrder | None:
    if not rows.num_rows or not {"service", "run_id", *keys} <= set(rows.column_names):
        return None
    columns = [rows[name] for name in ("service", "run_id", *keys)]
    if any(column.null_count for column in columns):
        return None
    services, runs = columns[0].unique(), columns[1].unique()
    if len(services) != 1:
        return None
    numbers = [column.cast(pa.int64()).to_numpy() for column in columns[2:]]
    if not is_sorted(numbers if len(runs) == 1 else [_ranks(columns[1]), *numbers]):
        return None
    first, last = ([int(column[end]) for column in numbers] for end in (0, -1))
    run_id, last_run_id = (str(columns[1][end].as_py()) for end in (0, -1))
    several = last_run_id if last_run_id != run_id else None
    return FileOrder(services[0].as_py(), run_id, first, last, last_run_id=several)


def _ranks(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole numbers in the order of the texts."""
    words = texts.to_pylist()
    rank_of = {word: rank for rank, word in enumerate(sorted(set(words)))}
    return np.fromiter((rank_of[word] for word in words), np.int64, len(words))


def _follows(before: FileOrder, after: FileOrder) -> bool:
    return before.service == after.service and before.end <= (after.run_id, after.first)


def is_sorted(keys: Sequence[NDArray[np.int64]]) -> bool:
    """Return whether rows with these keys, the first the coarsest, are in order."""
    undecided = np.ones(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in keys:
        before, after = key[:-1], key[1:]
        if bool(np.any(undecided & (after < before))):
            return False
        undecided &= after == before
    return True
