"""`MemoryLedger`: entries of seven fields in memory, loaded from and saved to one JSON array.

What is saved here opens with ``open_ledger`` too. A file is written whole: at once or not at all.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from memanalysis._atomic import write_atomic
from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.ledger.json_array import LedgerEntry, parse_entries
from memanalysis.ledger.maintenance.retention import retained
from memanalysis.ledger.values import dump_json

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Entries in memory, loaded from and saved to one JSON file.

    Parameters
    ----------
    storage_path : path-like
        File of the ledger; its folder is made when first saved.
    max_entries : int
        This many are kept, the newest; the oldest go as others come.

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
            write_atomic(self.storage_path, self._render())
        except OSError as exc:
            raise LedgerError(
                f"MemoryLedger.save needs to write {self.storage_path}, but cannot: {exc.strerror or exc}. "
                "Free some space, or give another storage_path."
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


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
