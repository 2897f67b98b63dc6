"""How an Arrow table becomes the DataFrame a reader is promised: narrowed, in order, with the exact dtypes."""

import json
from collections.abc import Collection, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memanalysis.ledger.reading.row_order import is_sorted
from memanalysis.schema import TABLES

__all__ = ["encode_known", "filter_rows", "frame_from_table", "keep_last_of_runs", "key_columns", "sort_rows"]

MANY_CHUNKS = 500
"""More chunks are joined into one, at the cost of a copy: they are of files with few rows."""

_STRING = pd.StringDtype("pyarrow")
_DTYPES = {pa.string(): _STRING}
_SORT_KEYS = ("service", "run_id", "seq", "timestamp", "started")


def key_columns(table: str) -> list[str]:
    """Columns of a table that give its order, the first the coarsest."""
    return [name for name in _SORT_KEYS if name in TABLES[table]]


def filter_rows(
    table: pa.Table,
    *,
    services: Collection[str] | None = None,
    since: int | None = None,
    until: int | None = None,
    run_ids: Collection[str | None] | None = None,
) -> pa.Table:
    """Rows of those services and runs with ``since <= timestamp < until`` (microseconds).

    A run has a beginning and an end: it stays if any of it may lie in that time, which one that never ended may.
    """
    masks = []
    if services is not None:
        masks.append(pc.is_in(table["service"], value_set=pa.array(sorted(services), pa.string())))
    if run_ids is not None and "run_id" not in table.column_names:  # it is unknown of each row
        table = table if None in run_ids else table.slice(0, 0)
    elif run_ids is not None:
        masks.append(pc.is_in(table["run_id"], value_set=pa.array(run_ids, pa.string())))
    is_runs = "started" in table.column_names
    if since is not None:
        last = table["ended" if is_runs else "timestamp"]
        late = pc.greater_equal(last, _moment(since))
        masks.append(pc.fill_null(late, is_runs))
    if until is not None:
        early = pc.less(table["started" if is_runs else "timestamp"], _moment(until))
        masks.append(pc.fill_null(early, is_runs))
    return table.filter(reduce(pc.and_, masks)) if masks else table


def sort_rows(table: pa.Table) -> pa.Table:
    """Rows by service, run and time; rows equal in these keep their order, and nulls come last."""
    if table.num_rows < 2:
        return table
    keys = [_ranks(table.column(name)) for name in _SORT_KEYS if name in table.column_names]
    if is_sorted(keys):
        return table
    return table.take(pa.array(np.lexsort(keys[::-1])))


def keep_last_of_runs(table: pa.Table) -> pa.Table:
    """Last row of each run: it is written when the run begins, and again when it ends."""
    seen: set[tuple[str | None, str]] = set()
    kept: list[int] = []
    names = zip(table["service"].to_pylist(), table["run_id"].to_pylist(), strict=True)
    for position, (service, run_id) in reversed(list(enumerate(names))):
        if run_id is None or (service, run_id) not in seen:
            kept.append(position)
            seen.add((service, run_id))
    return table.take(pa.array(kept[::-1], pa.int64()))


def encode_known(table: pa.Table) -> pa.Table:
    """Columns in which anything is known (all, where there are no rows), text as dictionaries, one for all rows."""
    if table.num_columns and table.column(0).num_chunks > MANY_CHUNKS:
        table = table.combine_chunks()  # unifying takes time and memory by the square of their number
    known = [name for name in table.column_names if table[name].null_count < max(1, table.num_rows)]
    encoded = {
        name: table[name].dictionary_encode() if pa.types.is_string(table[name].type) else table[name] for name in known
    }
    return pa.table(encoded).unify_dictionaries()


def frame_from_table(table: pa.Table, name: str, columns: Sequence[str] | None) -> pd.DataFrame:
    """DataFrame with the schema's dtypes; equal JSON in a column is one Python object, not to be changed in place."""
    wanted = list(TABLES[name]) if columns is None else list(columns)
    kinds = TABLES[name]
    plain = [column for column in wanted if kinds[column] not in {"int64", "json"}]
    frame: pd.DataFrame = table.select(plain).to_pandas(types_mapper=_DTYPES.get, split_blocks=True)
    made: dict[str, Any] = {}
    for column in wanted:
        if kinds[column] == "json":
            made[column] = pd.Series(_parse_all(table.column(column)), index=frame.index, dtype=object)
        else:
            made[column] = _integers(table.column(column)) if kinds[column] == "int64" else frame[column]
    return pd.DataFrame(made, index=pd.RangeIndex(table.num_rows), columns=wanted, copy=False)


def _integers(column: pa.ChunkedArray) -> pd.arrays.IntegerArray:
    """Nullable integers with one copy of the values, where pandas makes three."""
    if column.null_count:
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy().copy(), column.is_null().to_numpy().copy())
    values = column.to_numpy()
    values = values if values.flags.writeable else values.copy()
    return pd.arrays.IntegerArray(values, np.zeros(len(values), dtype=bool))


def _moment(microseconds: int) -> pa.Scalar:
    return pa.scalar(microseconds, pa.timestamp("us", tz="UTC"))


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole numbers in the order of the column's values, nulls the highest."""
    highest = np.iinfo(np.int64).max
    if not pa.types.is_string(column.type):
        numbers: NDArray[np.int64] = column.cast(pa.int64()).fill_null(highest).to_numpy()
        return numbers
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = np.array(encoded.dictionary.to_pylist(), dtype=object)
    rank_of_code = np.empty(len(words), dtype=np.int64)
    rank_of_code[np.argsort(words, kind="stable")] = np.arange(len(words))
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    ranks: NDArray[np.int64] = np.append(rank_of_code, highest)[codes]
    return ranks


def _parse_all(column: pa.ChunkedArray) -> list[Any]:
    parsed: dict[str | None, Any] = {None: None}
    values = column.to_pylist()
    for text in values:
        if text not in parsed:
            parsed[text] = _parse(text)
    return [parsed[text] for text in values]


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a foreign Parquet's plain text: still data, and shown as it is
        return text
