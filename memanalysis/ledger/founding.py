"""The founding ledger: one JSON array of entries with seven fields, kept whole in memory and written whole.

A file of the founding system opens unchanged and what is saved here stays readable by it. Unknown is null, never zero;
a timestamp is epoch seconds or ISO 8601 text (UTC where it names no zone) and is written back as it was.
"""

import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from numbers import Real
from pathlib import Path
from typing import Any

from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError
from memanalysis.ledger.cells import clean_text, dump_json, microseconds_from
from memanalysis.ledger.marker import FORMAT_NAME, write_file
from memanalysis.ledger.retention import retained
from memanalysis.units import bytes_from_mb

__all__ = ["LedgerEntry", "MemoryLedger", "parse_entries", "rows_from_entries"]

_log = logging.getLogger(__name__)

_HASH_DIGITS = 8
_TOO_LARGE = 2**43
"""No memory in MB and no count of its objects reaches it: the bytes of so many MB no longer fit an int64."""


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
        Since the process began, where the system tells.

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
            raise InvalidArgumentError(f"A LedgerEntry needs {problem}.")

    @property
    def epoch_s(self) -> float:
        """The timestamp in epoch seconds, for arithmetic."""
        return _epoch_s(self.timestamp)

    def to_dict(self) -> dict[str, Any]:
        """The seven fields, as they are written."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS = tuple(field.name for field in fields(LedgerEntry))
_COUNTS = ("object_count", "allocation_count", "deallocation_count", "gc_collections")


class MemoryLedger:
    """Entries in memory, loaded from and saved to one JSON file.

    Parameters
    ----------
    storage_path : path-like
        File of the ledger; its folder is made when first saved.
    max_entries : int
        The newest so many are kept, the oldest go as others come.

    Notes
    -----
    ``save`` never writes over what it has not seen: entries that somebody else saved meanwhile, or that were never
    loaded, are taken in first, and over a file that cannot be read it refuses to write.
    """

    def __init__(self, storage_path: str | os.PathLike[str], max_entries: int = 10000) -> None:
        if max_entries < 1:
            raise InvalidArgumentError(f"MemoryLedger needs max_entries of 1 or more, but got {max_entries!r}.")
        self.storage_path = Path(storage_path)
        self.max_entries = max_entries
        self.entries: list[LedgerEntry] = []
        self._in_file: list[LedgerEntry] = []
        self._file_state: tuple[int, int, int] | None = None
        self._lines: dict[LedgerEntry, bytes] = {}  # as last saved: only what is new is rendered again

    def record(
        self,
        service: str,
        memory_mb: float | None,
        object_count: int | None = None,
        allocation_count: int | None = None,
        deallocation_count: int | None = None,
        gc_collections: int | None = None,
        *,
        timestamp: float | str | None = None,
    ) -> LedgerEntry:
        """Make an entry of a reading and add it; its timestamp is now in epoch seconds, if none is given."""
        entry = LedgerEntry(
            time.time() if timestamp is None else timestamp,
            service,
            memory_mb,
            object_count,
            allocation_count,
            deallocation_count,
            gc_collections,
        )
        self.add_entry(entry)
        return entry

    def add_entry(self, entry: LedgerEntry) -> None:
        """Add an entry; the oldest goes if there are more than ``max_entries``."""
        self.entries.append(entry)
        self._limit()

    def save(self) -> bool:
        """Write all entries to the file, at once or not at all; True when they are on the disk.

        Raises
        ------
        LedgerFormatError
            The file that is there cannot be read; it is left as it is.
        LedgerError
            The disk refuses; the file that was there is left as it was.
        """
        self._take_in_what_others_saved()
        try:
            self.storage_path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.storage_path, self._render())
        except OSError as exc:
            raise LedgerError(
                f"MemoryLedger.save needs to write {self.storage_path}, but cannot: {exc.strerror or exc}. "
                "Make room, or give another storage_path."
            ) from exc
        self._remember_file(self.entries)
        return True

    def load(self) -> bool:
        """Read the file in place of the entries in memory; False, and nothing changed, when there is none.

        Raises
        ------
        LedgerFormatError
            The file is no JSON array of entries; the text names the place. It is left as it is, also by ``save``.
        LedgerError
            The file cannot be read.
        """
        found = self._read()
        if found is None:
            return False
        self.entries = found
        self._remember_file(found)
        self._limit()
        return True

    def get_entries_for_service(self, service: str) -> list[LedgerEntry]:
        """Entries of one service, in the order they were recorded."""
        return [entry for entry in self.entries if entry.service_name == service]

    def get_recent_entries(self, count: int) -> list[LedgerEntry]:
        """Last ``count`` entries, the newest last."""
        return self.entries[-count:] if count > 0 else []

    def cleanup_old_entries(self, max_age_days: float) -> int:
        """Drop the entries older than that; how many went."""
        kept = retained(self.entries, now=time.time(), max_age_days=max_age_days)
        removed = len(self.entries) - len(kept)
        self.entries = kept
        return removed

    def _render(self) -> bytes:
        known = self._lines
        self._lines = {entry: known.get(entry) or dump_json(entry.to_dict()) for entry in self.entries}
        lines = b",\n".join(self._lines[entry] for entry in self.entries)
        return b"[\n" + lines + b"\n]\n" if lines else b"[]\n"

    def _limit(self) -> None:
        if len(self.entries) > self.max_entries:
            del self.entries[: -self.max_entries]

    def _take_in_what_others_saved(self) -> None:
        if _state_of(self.storage_path) == self._file_state:
            return
        found = self._read()
        if found is None:
            return
        seen = set(self._in_file)
        others = [entry for entry in found if entry not in seen]
        self.entries = sorted([*others, *self.entries], key=lambda entry: entry.epoch_s)
        self._limit()

    def _read(self) -> list[LedgerEntry] | None:
        try:
            content = self.storage_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise LedgerError(
                f"MemoryLedger needs to read {self.storage_path}, but cannot: {exc.strerror or exc}. "
                "Check its permissions, or give another storage_path."
            ) from exc
        return parse_entries(content, name=str(self.storage_path))

    def _remember_file(self, entries: Sequence[LedgerEntry]) -> None:
        self._in_file = list(entries)
        self._file_state = _state_of(self.storage_path)


def parse_entries(content: bytes, *, name: str) -> list[LedgerEntry]:
    """Entries of a founding file; fields beyond the seven are passed over.

    Raises
    ------
    LedgerFormatError
        It is no JSON array of such entries; the text names the file and the place.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise LedgerFormatError(
            f"A founding ledger needs whole JSON, but {name} is broken: {exc}. Restore it from a copy."
        ) from exc
    if not isinstance(found, list):
        hint = (
            "Open its folder instead"
            if isinstance(found, dict) and found.get("format") == FORMAT_NAME
            else "Restore it"
        )
        raise LedgerFormatError(
            f"A founding ledger needs a JSON array of entries, but {name} has {_json_type(found)}. {hint}."
        )
    return [_parse_entry(item, place=f"{name}: entry {position}") for position, item in enumerate(found)]


def rows_from_entries(entries: Sequence[LedgerEntry], *, file_name: str) -> list[dict[str, Any]]:
    """Rows of ``samples``, each service a run of its own, in the order of time.

    ``run_id`` is ``founding-`` and a hash of the file's name and the service, so that it stays when the file is moved;
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
                "run_id": f"founding-{digest}",
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
        values["service_name"] = clean_text(values["service_name"])
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
    number: Any = value  # numpy's numbers are Real too, but tell the type checker nothing of how they compare
    return isinstance(value, Real) and not isinstance(value, bool) and -_TOO_LARGE < number < _TOO_LARGE


def _epoch_s(timestamp: float | str) -> float:
    if isinstance(timestamp, str):
        microseconds = microseconds_from(timestamp)
        return math.nan if microseconds is None else microseconds / 1e6
    return float(timestamp)


def _whole(count: float | None) -> int | None:
    return None if count is None else round(count)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
