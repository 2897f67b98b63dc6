"""The sealed files that a merged file replaces, while they are still there.

Merging writes one file out of many and then removes the many. Between these two steps the journal ``.merging.json`` at
the root of the ledger names the merged file and its sources, each with its size and checksum: a source that is still
there as the journal describes it is passed over, because its rows are in the merged file. Who compacts holds the
ledger's lock, so there is one journal at most. Standard library only.
"""

import json
import zlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from memanalysis.ledger.paths import PARQUET_SUFFIX, PARTITION_PREFIX, is_hidden
from memanalysis.schema import TABLES

if TYPE_CHECKING:
    from memanalysis.ledger.files import Files

__all__ = ["JOURNAL_NAME", "MERGED_PREFIX", "MergeJournal", "MergeSource", "find_replaced", "is_source", "read_journal"]

JOURNAL_NAME = ".merging.json"

MERGED_PREFIX = "merged~"
"""Begins the names of merged files; ``~`` stands in no run id."""


@dataclass(frozen=True, slots=True)
class MergeSource:
    """One file that was merged, as it was then."""

    name: str
    size: int
    crc32: int


@dataclass(frozen=True, slots=True)
class MergeJournal:
    """The merge that is under way, or was when its process ended."""

    table: str
    partition: str
    merged: str
    sources: tuple[MergeSource, ...]

    @property
    def folder(self) -> str:
        """Folder of the merged file and its sources, below the ledger's root."""
        return f"{self.table}/{self.partition}"

    def to_bytes(self) -> bytes:
        """Content of the journal's file."""
        return json.dumps(asdict(self)).encode() + b"\n"


def read_journal(files: "Files") -> MergeJournal | None:
    """Return the journal of a ledger, or None where there is none that can be followed.

    A journal that names anything outside a folder of a service is not followed.
    """
    if files.kind(JOURNAL_NAME) != "file":
        return None
    try:
        with files.open(JOURNAL_NAME) as stream:
            return _parse(json.loads(stream.read()))
    except FileNotFoundError:  # the merge has ended meanwhile
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def find_replaced(files: "Files", folder: str, names: Collection[str]) -> set[str]:
    """Return the names, out of those that a listing of the folder found, whose rows are in a merged file beside them.

    The journal is read after the listing: a merge that ended between the two has removed its sources, and a reader
    then finds them gone.
    """
    if not any(name.startswith(MERGED_PREFIX) for name in names):
        return set()
    journal = read_journal(files)
    if journal is None or journal.folder != folder or journal.merged not in names:
        return set()
    return {source.name for source in journal.sources if source.name in names and is_source(files, journal, source)}


def is_source(files: "Files", journal: MergeJournal, source: MergeSource) -> bool:
    """Return whether a file is still the one that was merged; one that is gone was."""
    path = f"{journal.folder}/{source.name}"
    try:
        if files.size(path) != source.size:
            return False
        with files.open(path) as stream:
            return zlib.crc32(stream.read()) == source.crc32
    except FileNotFoundError:
        return True


def _parse(found: dict[str, Any]) -> MergeJournal | None:
    sources = tuple(MergeSource(str(item["name"]), int(item["size"]), int(item["crc32"])) for item in found["sources"])
    journal = MergeJournal(str(found["table"]), str(found["partition"]), str(found["merged"]), sources)
    names = [journal.merged, *(source.name for source in sources)]
    is_inside = journal.table in TABLES and journal.partition.startswith(PARTITION_PREFIX)
    is_plain = all(
        name.endswith(PARQUET_SUFFIX) and not is_hidden(name) and not set("/\\\0") & set(name) for name in names
    )
    return journal if is_inside and is_plain and not set("/\\\0") & set(journal.partition) else None
