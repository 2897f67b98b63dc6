"""What a value of each kind of column is: from anything that may be one, to what lines and tables hold.

Standard library only. NaN and infinite values are unknown; a moment without a zone is UTC; text that UTF-8 cannot
hold is mended; JSON takes anything and runs no code of it.
"""

import json
import math
import operator
import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from memanalysis._text import make_encodable
from memanalysis.schema import ColumnType

__all__ = [
    "INT64_MAX",
    "INT64_MIN",
    "cell_of",
    "dump_json",
    "format_moment",
    "format_timestamp",
    "microseconds_from",
    "moment_from",
]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_EPOCH = datetime(1970, 1, 1)  # naive, and UTC throughout: faster than with a zone
_MICROSECOND = timedelta(microseconds=1)
_MAX_DEPTH = 64
_MAX_INT_BITS = 1024


def cell_of(kind: ColumnType, value: object) -> Any:
    """Value of a column of that kind, timestamps as whole microseconds; None for NaN and infinity.

    Raises
    ------
    ValueError, TypeError, OverflowError
        It cannot be one.
    """
    return _CELLS[kind](value)


def microseconds_from(value: object) -> int | None:
    """Whole microseconds since 1970 in UTC of epoch seconds, ISO 8601 text or a datetime; None for NaN and infinity.

    Time without a zone is taken as UTC.

    Raises
    ------
    ValueError, TypeError, OverflowError
        It is no moment between the years 1 and 9999.
    """
    moment = moment_from(value)
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def format_timestamp(microseconds: int) -> str:
    """ISO 8601 text in UTC with six digits and ``Z``, such as ``2025-01-01T00:00:00.000000Z``."""
    return format_moment(_EPOCH + timedelta(microseconds=microseconds))


def dump_json(value: object) -> bytes:
    """Compact UTF-8 JSON of anything; what JSON has no word for becomes null (NaN) or a short text (other objects)."""
    try:
        return _encode(value).encode()
    except (ValueError, TypeError, RecursionError):  # NaN, a lone surrogate, an odd key, a cycle: the careful way
        return _encode(_plain(value, 0)).encode()


def moment_from(value: object) -> datetime | None:
    """Moment in UTC, without a zone, of what `microseconds_from` takes."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    seconds = _float64(value)
    return None if seconds is None else _EPOCH + timedelta(seconds=seconds)  # OverflowError past the year 9999


def format_moment(moment: datetime) -> str:
    """ISO 8601 text of a moment in UTC."""
    return moment.isoformat(timespec="microseconds") + "Z"


def _string(value: object) -> str:
    if isinstance(value, str):
        return make_encodable(value)
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
    if not INT64_MIN <= value <= INT64_MAX:
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
        return make_encodable(value)
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
        return make_encodable(os.fsdecode(value))
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
