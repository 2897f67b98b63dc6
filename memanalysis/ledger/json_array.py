"""A ledger in one JSON array of entries with seven fields: its records, and the rows of ``samples`` they become.

Unknown is null, never zero. A timestamp is epoch seconds or ISO 8601 text (UTC where it names no zone).
`memanalysis.classes.memory_ledger` writes such files.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from numbers import Real
from typing import Any

from memanalysis._text import make_encodable
from memanalysis.errors import InvalidArgumentError, LedgerFormatError
from memanalysis.ledger.marker import FORMAT_NAME
from memanalysis.ledger.values import microseconds_from
from memanalysis.units import bytes_from_mb

__all__ = ["LedgerEntry", "parse_entries", "rows_from_entries"]

_HASH_DIGITS = 8
_TOO_LARGE = 2**43
"""No memory in MB and no count of its objects reaches it: its bytes would no longer fit an int64."""

MAX_PROBLEM_CHARACTERS = 500
"""A problem ends with the value that was given, which may be of any size."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One reading of one service; None is unknown.

    Parameters
    ----------
    timestamp : float or str
        Epoch seconds, or ISO 8601 text (UTC where it names no zone).
    service_name : str
    memory_usage_mb : float or None
        Bytes that tracemalloc followed, in MB of 2**20 bytes.
    object_count, allocation_count, deallocation_count, gc_collections : int or None
        Since the process began, where the system shows it.

    Raises
    ------
    InvalidArgumentError
        The timestamp is no moment, or a field is of a wrong type.
    """

    timestamp: float | str
    service_name: str
    memory_usage_mb: float | None
    object_count: int | None
    allocation_count: int | None = None
    deallocation_count: int | None = None
    gc_collections: int | None = None

    def __post_init__(self) -> None:
        if problem := _problem_of(self):
            shown = problem if len(problem) <= MAX_PROBLEM_CHARACTERS else f"{problem[:MAX_PROBLEM_CHARACTERS]} ..."
            raise InvalidArgumentError(f"A LedgerEntry needs {shown}.")

    @property
    def epoch_s(self) -> float:
        """The timestamp in epoch seconds, for arithmetic."""
        return _epoch_s(self.timestamp)

    def to_dict(self) -> dict[str, Any]:
        """The seven fields, as they are written."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS = tuple(field.name for field in fields(LedgerEntry))
_COUNTS = ("object_count", "allocation_count", "deallocation_count", "gc_collections")


def parse_entries(content: bytes, *, name: str) -> list[LedgerEntry]:
    """Entries of such a file; fields beyond the seven are passed over.

    Raises
    ------
    LedgerFormatError
        It is no JSON array of such entries; the text names the file and the place.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise LedgerFormatError(
            f"A JSON array ledger needs whole JSON, but {name} is broken: {exc}. Restore it from a copy."
        ) from exc
    if not isinstance(found, list):
        hint = (
            "Open its folder instead"
            if isinstance(found, dict) and found.get("format") == FORMAT_NAME
            else "Restore it"
        )
        raise LedgerFormatError(
            f"A JSON array ledger needs a JSON array of entries, but {name} has {_json_type(found)}. {hint}."
        )
    return [_parse_entry(item, place=f"{name}: entry {position}") for position, item in enumerate(found)]


def rows_from_entries(entries: Sequence[LedgerEntry], *, file_name: str) -> list[dict[str, Any]]:
    """Rows of ``samples``, each service a run of its own, in the order of time.

    ``run_id`` is ``json-array-`` and a hash of the file's name and the service, so it stays when the file is moved.
    ``seq`` and ``elapsed_s`` count from the service's first entry; ``memory_usage_mb`` is ``traced_bytes``.
    """
    first: dict[str, float] = {}
    count: dict[str, int] = {}
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.epoch_s):
        service, moment = entry.service_name, entry.epoch_s
        begin = first.setdefault(service, moment)
        seq = count[service] = count.get(service, -1) + 1
        digest = sha256(f"{file_name}\0{service}".encode()).hexdigest()[:_HASH_DIGITS]
        memory_mb = entry.memory_usage_mb
        rows.append(
            {
                "run_id": f"json-array-{digest}",
                "service": service,
                "seq": seq,
                "timestamp": microseconds_from(entry.timestamp),
                "elapsed_s": moment - begin,
                "traced_bytes": None if memory_mb is None else bytes_from_mb(memory_mb),
                **{name: _whole(getattr(entry, name)) for name in _COUNTS},
            }
        )
    return rows


def _parse_entry(item: object, *, place: str) -> LedgerEntry:
    if not isinstance(item, Mapping):
        raise LedgerFormatError(
            f"{place} needs to be an object with {list(_FIELDS)}, but is {_json_type(item)}. Repair it."
        )
    missing = [name for name in ("timestamp", "service_name") if name not in item]
    if missing:
        raise LedgerFormatError(f"{place} needs {' and '.join(missing)}, but has {sorted(item)}. Repair it.")
    values: dict[str, Any] = {name: item.get(name) for name in _FIELDS}
    memory_mb = values["memory_usage_mb"]
    if isinstance(memory_mb, float) and not math.isfinite(memory_mb):  # Python's json writes and reads a bare NaN
        values["memory_usage_mb"] = None
    if isinstance(values["service_name"], str):
        values["service_name"] = make_encodable(values["service_name"])
    try:
        return LedgerEntry(**values)
    except InvalidArgumentError as exc:
        raise LedgerFormatError(f"{place}: {exc} Repair it.") from exc


def _problem_of(entry: LedgerEntry) -> str | None:
    if not _is_moment(entry.timestamp):
        return f"a timestamp in epoch seconds or ISO 8601 text, but got {entry.timestamp!r}"
    if not isinstance(entry.service_name, str) or not entry.service_name:
        return f"a service_name of at least one character, but got {entry.service_name!r}"
    for name in ("memory_usage_mb", *_COUNTS):
        value = getattr(entry, name)
        if value is not None and not _is_finite(value):
            return f"a finite number below 2**43 or None as {name}, but got {value!r}"
    return None


def _is_moment(timestamp: object) -> bool:
    try:
        return isinstance(timestamp, str | Real) and microseconds_from(timestamp) is not None
    except (ValueError, TypeError, OverflowError):
        return False


def _is_finite(value: object) -> bool:
    number: Any = value  # numpy's numbers are Real too, but the type checker does not know how they compare
    return isinstance(value, Real) and not isinstance(value, bool) and -_TOO_LARGE < number < _TOO_LARGE


def _epoch_s(timestamp: float | str) -> float:
    if isinstance(timestamp, str):
        microseconds = microseconds_from(timestamp)
        return math.nan if microseconds is None else microseconds / 1e6
    return float(timestamp)


def _whole(count: float | None) -> int | None:
    return None if count is None else round(count)


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
