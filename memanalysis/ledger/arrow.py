"""What a table looks like in Arrow and Parquet, and how rows and foreign Parquet files come to look so.

``string`` and ``json`` columns (JSON text) are UTF-8 strings, ``timestamp`` is microseconds in UTC.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.reading.impossible_values import BAD_MOMENT, BAD_NUMBER, Removed, null_impossible
from memanalysis.ledger.values import dump_json, microseconds_from
from memanalysis.schema import SCHEMA_VERSION, TABLES, ColumnType

__all__ = ["VERSION_KEY", "arrow_schema", "conform_table", "empty_table", "table_from_rows"]

VERSION_KEY = b"memanalysis.schema_version"
"""Key of the Parquet footer that holds the schema version of the rows."""

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_FAR_SECONDS = 2**40
"""Seconds that microseconds of int64 still hold, and far past the year 9999."""

_ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "timestamp": _TIMESTAMP,
    "json": pa.string(),
}


def arrow_schema(table: str, columns: Iterable[str] | None = None) -> pa.Schema:
    """Arrow schema of a ledger table, or of some of its columns, in the table's order."""
    wanted = TABLES[table] if columns is None else set(columns)
    fields = [pa.field(name, _ARROW_TYPES[kind]) for name, kind in TABLES[table].items() if name in wanted]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def empty_table(table: str, columns: Iterable[str] | None = None) -> pa.Table:
    """Make a table without rows."""
    return arrow_schema(table, columns).empty_table()


def table_from_rows(table: str, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> pa.Table:
    """Arrow table of parsed rows (the cells of ``jsonl``); what a row lacks is null."""
    schema = arrow_schema(table, columns)
    kinds = TABLES[table]
    return pa.table([_column(rows, field, kinds[field.name]) for field in schema], schema=schema)


def conform_table(
    found: pa.Table,
    table: str,
    *,
    name: str,
    columns: Iterable[str] | None = None,
    unordered: bool = False,
    removed: Removed | None = None,
) -> pa.Table:
    """Any Arrow table as one of ours: unknown columns left out, missing ones null, types made ours.

    Values that cannot be, such as a negative size, become null and are counted in ``removed``.

    ``unordered``, missing columns are left out too, and dictionaries of text stay.

    Raises
    ------
    LedgerFormatError
        A column holds what cannot be its type, or is there twice.
    """
    schema = arrow_schema(table, columns)
    removed = Counter() if removed is None else removed
    doubled = [field.name for field in schema if found.column_names.count(field.name) > 1]
    if doubled:
        raise LedgerFormatError(
            f"{name} has the column {doubled[0]!r} {found.column_names.count(doubled[0])} times, "
            "and does not show which one counts. Rename the others."
        )
    if unordered:
        schema = pa.schema([_as_found(found, field) for field in schema if field.name in found.column_names])
    made = pa.table(
        [_conform_column(found, field, TABLES[table][field.name], removed, name=name) for field in schema],
        schema=schema,
    )
    return null_impossible(made, table, removed)


def _as_found(found: pa.Table, field: pa.Field) -> pa.Field:
    kind = found.schema.field(field.name).type
    is_text = pa.types.is_dictionary(kind) and kind.value_type == field.type
    return field.with_type(kind) if is_text else field


def _column(rows: Sequence[Mapping[str, Any]], field: pa.Field, kind: ColumnType) -> pa.Array:
    cells = [row.get(field.name) for row in rows]
    if kind == "json":
        texts: dict[int, bytes] = {}  # rows of one site share one traceback
        for cell in cells:
            if cell is not None and id(cell) not in texts:
                texts[id(cell)] = dump_json(cell)
        cells = [None if cell is None else texts[id(cell)] for cell in cells]
    return pa.array(cells, type=field.type)


def _conform_column(
    found: pa.Table, field: pa.Field, kind: ColumnType, removed: Removed, *, name: str
) -> pa.Array | pa.ChunkedArray:
    if field.name not in found.column_names:
        return pa.nulls(found.num_rows, field.type)
    values = found.column(field.name)
    if values.type == field.type:
        return values
    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if kind == "timestamp":
            return _conform_timestamps(values, field.name, removed)
        if kind == "json" and pa.types.is_nested(values.type):
            return pa.array([None if cell is None else dump_json(cell) for cell in values.to_pylist()], type=field.type)
        if kind == "int64" and pa.types.is_floating(values.type):
            values = pc.round(pc.if_else(pc.is_nan(values), None, values))
        if kind == "int64" and (pa.types.is_floating(values.type) or pa.types.is_unsigned_integer(values.type)):
            values = _null_beyond_int64(values, field.name, removed)
        return values.cast(field.type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as exc:
        raise LedgerFormatError(
            f"{name} needs {kind} in column {field.name!r}, but has {values.type} that cannot become it. "
            "Convert the column, or leave it out."
        ) from exc


def _null_beyond_int64(values: pa.ChunkedArray, name: str, removed: Removed) -> pa.ChunkedArray:
    """Null what int64 cannot hold, such as infinity; 2**63 itself is the first float that is too large."""
    numbers = values.cast(pa.float64(), safe=False)
    fits = pc.and_(pc.greater_equal(numbers, -(2.0**63)), pc.less(numbers, 2.0**63))
    kept = pc.if_else(fits, values, pa.scalar(None, values.type))
    if kept.null_count > values.null_count:
        removed[name, BAD_NUMBER] += kept.null_count - values.null_count
    return kept


def _conform_timestamps(values: pa.ChunkedArray, name: str, removed: Removed) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_timestamp(values.type):
        per_second = {"s": 1, "ms": 10**3}.get(values.type.unit)
        if per_second is not None:  # microseconds of a far moment would run over, and come out as another moment
            numbers = values.cast(pa.int64())
            fits = pc.less_equal(pc.abs(pc.max_element_wise(numbers, -(2**63) + 1)), _FAR_SECONDS * per_second)
            kept = pc.if_else(fits, values, pa.scalar(None, values.type))
            if kept.null_count > values.null_count:
                removed[name, BAD_MOMENT] += kept.null_count - values.null_count
            values = kept
        if values.type.tz is None:
            return values.cast(pa.timestamp("us"), safe=False).cast(_TIMESTAMP)
        return values.cast(_TIMESTAMP, safe=False)
    cells = []
    for value in values.to_pylist():
        try:
            cells.append(None if value is None else microseconds_from(value))
        except OverflowError:
            cells.append(None)
            removed[name, BAD_MOMENT] += 1
    return pa.array(cells, type=_TIMESTAMP)
