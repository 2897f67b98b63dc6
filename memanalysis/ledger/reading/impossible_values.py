"""Which values of a table cannot be, whatever wrote them: they become null, and are counted by column and reason.

Sizes and counts are 0 or more, and below what a machine can address. A moment lies in the years 1 to 9999, a length of
time is finite, and text is UTF-8. A NaN is no damage: other tools write it for null.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.schema import TABLES

__all__ = ["BAD_MOMENT", "BAD_NUMBER", "BAD_SIZE", "BAD_TEXT", "Removed", "null_impossible"]

Removed = Counter[tuple[str, str]]
"""Values that were made null, by column and reason."""

BAD_SIZE = "below 0 or above any memory"
BAD_MOMENT = "a time outside the years 1 to 9999"
BAD_NUMBER = "a number that is infinite or out of range"
BAD_TEXT = "text that is not UTF-8"

MAX_SIZE = 2**60
"""1 EiB: eight times what a processor of today can address. Sums of many such sizes would no longer fit an int64."""

MAX_SECONDS = 1e12
"""Over 30,000 years."""

_UNBOUNDED = {"limit_bytes"}
"""Some systems write a number near 2**63 where there is no limit."""

_NOT_NEGATIVE = {"count", "object_count", "allocation_count", "deallocation_count", "live_allocations"} | {
    "gc_collections",
    "gc_collected",
    "thread_count",
    "descriptor_count",
    "line",
}
_FIRST_US = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 10**6
_LAST_US = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 10**6 + 999_999


def null_impossible(rows: pa.Table, table: str, removed: Removed) -> pa.Table:
    """Rows with null in place of what cannot be; the number of values is added to ``removed``.

    Parameters
    ----------
    rows : pyarrow.Table
        Rows that conform to the table, with any of its columns; text may be dictionaries.
    table : str
    removed : Counter
        Takes the number of values by column and reason.
    """
    for position, name in enumerate(rows.column_names):
        values = rows.column(position)
        kind = TABLES[table][name]
        if values.null_count == len(values):
            continue
        if kind in {"string", "json"}:
            cleaned, reason = _null_broken_text(values), BAD_TEXT
        elif kind == "timestamp":
            cleaned, reason = _null_outside(values, _FIRST_US, _LAST_US), BAD_MOMENT
        elif kind == "float64":
            cleaned, reason = _null_outside(values, -MAX_SECONDS, MAX_SECONDS), BAD_NUMBER
        elif name.endswith("_bytes") or name in _NOT_NEGATIVE:
            cleaned, reason = _null_outside(values, 0, None if name in _UNBOUNDED else MAX_SIZE), BAD_SIZE
        else:
            continue
        if cleaned is not values:
            removed[name, reason] += cleaned.null_count - values.null_count
            rows = rows.set_column(position, rows.schema.field(position), cleaned)
    return rows


def _null_outside(values: pa.ChunkedArray, low: float, high: float | None) -> pa.ChunkedArray:
    """Null what lies outside; the same object where nothing does. NaN lies nowhere and stays."""
    numbers = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
    found = pc.min_max(numbers).as_py()  # once over the values: mostly nothing lies outside
    has_low = found["min"] is not None and found["min"] < low
    has_high = high is not None and found["max"] is not None and found["max"] > high
    if not has_low and not has_high:
        return values
    is_outside = pc.less(numbers, low)
    if high is not None:
        is_outside = pc.or_(is_outside, pc.greater(numbers, high))
    return pc.if_else(pc.fill_null(is_outside, False), pa.scalar(None, values.type), values)


def _null_broken_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return pa.chunked_array([_mend_chunk(chunk) for chunk in values.chunks], type=values.type)
    return values


def _mend_chunk(chunk: Any) -> Any:
    if not pa.types.is_dictionary(chunk.type):
        return pa.array([_text_or_none(cell) for cell in chunk.cast(pa.binary()).to_pylist()], type=chunk.type)
    words = [_text_or_none(word) for word in chunk.dictionary.cast(pa.binary()).to_pylist()]
    are_text = pa.array([word is not None for word in words])
    indices = pc.if_else(pc.fill_null(are_text.take(chunk.indices), False), chunk.indices, None)
    dictionary = pa.array(["" if word is None else word for word in words], type=chunk.type.value_type)
    return pa.DictionaryArray.from_arrays(indices, dictionary)


def _text_or_none(cell: bytes | None) -> str | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return None
