"""How a row is one line of JSON, and what can be saved of a file of lines that was torn or spoilt.

Standard library only: the recorder writes with it inside somebody else's process. A line is compact UTF-8 JSON
without the columns that are null; ``timestamp`` is ISO 8601 in UTC with microseconds and ``Z``; NaN and infinite values
are null. Parsed rows hold *cells*: timestamps as whole microseconds since 1970, the rest as Python's own types.
"""

import json
import math
import operator
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO

from memanalysis.errors import InvalidArgumentError
from memanalysis.schema import TABLES, ColumnType, Row

__all__ = [
    "MAX_LINE_BYTES",
    "NOT_A_ROW",
    "NOT_JSON",
    "TOO_LONG",
    "TORN_TAIL",
    "clean_text",
    "dump_json",
    "encode_row",
    "format_timestamp",
    "iter_objects",
    "iter_rows",
    "microseconds_from",
    "row_from_object",
]

MAX_LINE_BYTES = 16 * 1024**2
"""A longer line is skipped: a row of ours is under 100 KB, and a reader is not made to hold whatever it is given."""

TORN_TAIL = "torn last line"
NOT_JSON = "not JSON"
NOT_A_ROW = "not a row of its table"
TOO_LONG = "a line over 16 MiB"

_EPOCH = datetime(1970, 1, 1)  # naive, and UTC throughout: faster than with a zone
_MICROSECOND = timedelta(microseconds=1)
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_MAX_DEPTH = 64
_MAX_INT_BITS = 1024

_decode = json.JSONDecoder(parse_constant=lambda _: None).decode


def encode_row(table: str, row: Row) -> bytes:
    """One row as one line, with its newline.

    Raises
    ------
    InvalidArgumentError
        A column is not the table's, or a value not of the column's type.
    """
    columns = TABLES[table]
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            continue
        kind = columns.get(name)
        if kind == "int64" and type(value) is int and _INT64_MIN <= value <= _INT64_MAX:  # most cells, so the short way
            cells[name] = value
            continue
        if kind is None:
            raise InvalidArgumentError(
                f"A row of {table!r} needs columns of {list(columns)}, but got {name!r}. Leave it out."
            )
        try:
            cell = _moment(value) if kind == "timestamp" else _CELLS[kind](value)
        except (ValueError, TypeError, OverflowError) as exc:
            raise InvalidArgumentError(
                f"A row of {table!r} needs {kind} in {name!r}, but got {value!r}. Pass None where it is unknown."
            ) from exc
        if cell is not None:
            cells[name] = _iso(cell) if kind == "timestamp" else cell
    return dump_json(cells) + b"\n"


def iter_rows(stream: BinaryIO, table: str, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Rows of one table, one a good line; lines that are none are counted in ``skipped`` by reason."""
    columns = TABLES[table]
    for found in iter_objects(stream, skipped):
        row = row_from_object(columns, found)
        if row is None:
            skipped[NOT_A_ROW] += 1
        else:
            yield row


def iter_objects(stream: BinaryIO, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """JSON objects of the good lines; what is spoilt is passed over and counted by reason."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        whole = line.endswith(b"\n")
        if not whole and len(line) > MAX_LINE_BYTES:
            _skip_line(stream)
            skipped[TOO_LONG] += 1
        elif not line.isspace():
            try:
                found = _decode(line.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                skipped[NOT_JSON if whole else TORN_TAIL] += 1
                continue
            if isinstance(found, dict):
                yield found
            else:
                skipped[NOT_A_ROW] += 1


def row_from_object(columns: Mapping[str, ColumnType], found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Cells of the known columns that are not null; None if a value is not of its column's type."""
    row: dict[str, Any] = {}
    try:
        for name, kind in columns.items():
            value = found.get(name)
            if value is not None:
                row[name] = _CELLS[kind](value)
    except (ValueError, TypeError, OverflowError):
        return None
    return row


def microseconds_from(value: object) -> int | None:
    """Whole microseconds since 1970 in UTC of epoch seconds, ISO 8601 text or a datetime; None for NaN and infinity.

    Time without a zone is taken as UTC.

    Raises
    ------
    ValueError, TypeError, OverflowError
        It is no moment between the years 1 and 9999.
    """
    moment = _moment(value)
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def format_timestamp(microseconds: int) -> str:
    """ISO 8601 text in UTC with six digits and ``Z``, such as ``2025-01-01T00:00:00.000000Z``."""
    return _iso(_EPOCH + timedelta(microseconds=microseconds))


def dump_json(value: object) -> bytes:
    """Compact UTF-8 JSON of anything; what JSON has no word for becomes null (NaN) or a short text (other objects)."""
    try:
        return _encode(value).encode()
    except (ValueError, TypeError, RecursionError):  # NaN, a lone surrogate, an odd key, a cycle: the careful way
        return _encode(_plain(value, 0)).encode()


def clean_text(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates, as in the names of undecodable files, become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _skip_line(stream: BinaryIO) -> None:
    while (piece := stream.readline(MAX_LINE_BYTES)) and not piece.endswith(b"\n"):
        pass


def _moment(value: object) -> datetime | None:
    """Moment in UTC, without a zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    seconds = _float64(value)
    return None if seconds is None else _EPOCH + timedelta(seconds=seconds)  # OverflowError past the year 9999


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds") + "Z"


def _string(value: object) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):  # a foreign file's numeric run_id or label
        return str(value)
    raise TypeError


def _int64(value: object) -> int | None:
    if type(value) is not int:
        if isinstance(value, bool):
            raise TypeError
        try:
            value = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            real = _float64(value)
            if real is None:
                return None
            value = round(real)
    if not _INT64_MIN <= value <= _INT64_MAX:
        raise OverflowError
    return value


def _float64(value: object) -> float | None:
    if type(value) is not float:
        if isinstance(value, bool | str) or not hasattr(value, "__float__"):
            raise TypeError
        value = float(value)
    return value if math.isfinite(value) else None


def _json(value: object) -> object:
    return value


_CELLS: Mapping[ColumnType, Callable[[object], Any]] = {
    "string": _string,
    "int64": _int64,
    "float64": _float64,
    "timestamp": microseconds_from,
    "json": _json,
}


def _plain(value: object, depth: int) -> object:
    """Rebuild a value from JSON's own types; runs no code of the value's class beyond numpy's and the containers'."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INT_BITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= _MAX_DEPTH:
        return f"<nested deeper than {_MAX_DEPTH}>"
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return clean_text(os.fsdecode(value))
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist(), depth + 1)
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _key(key: object) -> str:
    plain = _plain(key, _MAX_DEPTH)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _default(value: object) -> object:
    return _plain(value, 0)


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default, check_circular=True
).encode
