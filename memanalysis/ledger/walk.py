"""Which files of a ledger's folder are its own, and which entries are passed over, with the reason.

One walk serves readers and maintenance: ``<root>/<table>/service_key=<slug>/<file>`` holds what is sealed, and the same
folders below ``<root>/live`` hold what is written. Of each table the live files are listed first: a file that is sealed
between the two lists is in both, and never in none. Only regular files under folders that are no links are found.
Links, named pipes, sockets, devices, folders or files in each other's place, JSON lines among the sealed files and
Parquet among the live ones are listed as skipped. Names that begin with ``.`` or ``_`` are no entries of a ledger, and
are found only on request.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.paths import (
    INDEX_FOLDER,
    INDEX_PREFIX,
    JSONL_SUFFIX,
    LIVE_FOLDER,
    MARKER_NAME,
    PARQUET_SUFFIX,
    PARTITION_PREFIX,
    is_hidden,
)
from memanalysis.schema import TABLES

if TYPE_CHECKING:
    from memanalysis.ledger.files import Entry, Files, Kind

__all__ = ["FoundFile", "LedgerWalk", "SkippedEntry", "open_regular", "walk_ledger"]

MIN_SHARE_OF_FOLDERS = 0.5
"""Where as large a share of a table's folders is wanted, they are listed at once if the files can do that."""

_WHAT_IS: dict["Kind", str] = {
    "file": "a file where a folder belongs",
    "folder": "a folder where a file belongs",
    "link": "a link, which is not followed",
    "other": "a named pipe, socket or device, which is not opened",
}

_IN_WRONG_FOLDER = {
    JSONL_SUFFIX: f"JSON lines outside the folder {LIVE_FOLDER}",
    PARQUET_SUFFIX: f"a sealed file in the folder {LIVE_FOLDER}",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One regular file of a table and a service; ``partition`` is the folder ``service_key=<slug>``.

    ``size_bytes`` is known where the list of the folder has it, as those of buckets do.
    """

    table: str
    partition: str
    name: str
    is_live: bool = False
    size_bytes: int | None = field(default=None, compare=False)

    @property
    def path(self) -> str:
        """Path below the ledger's root, with ``/``."""
        path = f"{self.table}/{self.partition}/{self.name}"
        return f"{LIVE_FOLDER}/{path}" if self.is_live else path

    @property
    def stem(self) -> str:
        """Name without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Last suffix of the name, with its dot."""
        return PurePosixPath(self.name).suffix


@dataclass(frozen=True, slots=True)
class SkippedEntry:
    """One entry that is passed over, and why; the path is below the ledger's root, with ``/``."""

    path: str
    reason: str


@dataclass(slots=True)
class LedgerWalk:
    """Files in the order of their names, live ones first; tables and folders of services; and what is passed over.

    ``index`` has the names of the files of the index of runs, where it is asked for.
    """

    files: list[FoundFile] = field(default_factory=list)
    folders: list[tuple[str, str]] = field(default_factory=list)
    index: list[str] = field(default_factory=list)
    skipped: list[SkippedEntry] = field(default_factory=list)


def walk_ledger(
    files: "Files",
    *,
    tables: Iterable[str] = tuple(TABLES),
    is_wanted: Callable[[str], bool] = lambda partition: True,
    hidden: bool = False,
    index: bool = False,
) -> LedgerWalk:
    """Find the files of a ledger that is a folder.

    Parameters
    ----------
    files : Files
        The ledger's.
    tables : iterable of str, optional
        These tables only.
    is_wanted : callable, optional
        Takes the name of a service's folder, and returns whether to list it.
    hidden : bool
        True finds the files whose names begin with ``.`` or ``_`` as well, such as temporary ones.
    index : bool
        True lists the index of runs as well, before the tables: what it has of a file that is removed meanwhile is
        not used, because the file is not found.

    Raises
    ------
    OSError
        The root cannot be listed. A folder below it that cannot be listed is skipped.
    """
    walk = LedgerWalk()
    kinds = {entry.name: entry.kind for entry in files.list_folder("")}
    live_kinds: dict[str, Kind] = {}
    if kinds.get(LIVE_FOLDER) == "folder":
        live_kinds = {entry.name: entry.kind for entry in _list(files, LIVE_FOLDER, walk)}
    for name, wanted in ((MARKER_NAME, "file"), (LIVE_FOLDER, "folder"), (INDEX_FOLDER, "folder")):
        if kinds.get(name, wanted) != wanted:
            walk.skipped.append(SkippedEntry(name, _reason(kinds[name])))
    if index and kinds.get(INDEX_FOLDER) == "folder":
        _walk_index(files, walk)
    for table in tables:
        for parent, kind in ((f"{LIVE_FOLDER}/", live_kinds.get(table)), ("", kinds.get(table))):
            if kind == "folder":
                _walk_table(files, table, parent, walk, is_wanted, hidden=hidden)
            elif kind is not None:
                walk.skipped.append(SkippedEntry(parent + table, _reason(kind)))
    walk.folders = list(dict.fromkeys(walk.folders))
    return walk


def open_regular(path: str | os.PathLike[str], *, follow: bool = False) -> BinaryIO:
    """Open a regular file for reading, without waiting for a writer and without following a link.

    Parameters
    ----------
    path : path
    follow : bool
        True follows a link, as for a file that the user named.

    Raises
    ------
    LedgerFormatError
        It is a link, or no regular file.
    OSError
        It cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags if follow else flags | getattr(os, "O_NOFOLLOW", 0))
    except OSError as exc:
        if exc.errno == errno.ELOOP and not follow:
            raise _not_regular(path, _WHAT_IS["link"]) from exc
        if exc.errno == errno.ENXIO:  # a socket, or a device without hardware
            raise _not_regular(path, _WHAT_IS["other"]) from exc
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        raise _not_regular(path, _WHAT_IS["other"])
    return os.fdopen(descriptor, "rb")


def _walk_table(
    files: "Files", table: str, parent: str, walk: LedgerWalk, is_wanted: Callable[[str], bool], *, hidden: bool
) -> None:
    entries = _list(files, parent + table, walk)
    wanted = []
    for entry in entries:
        path = f"{parent}{table}/{entry.name}"
        if is_hidden(entry.name) or not _concerns(entry, entry.name.startswith(PARTITION_PREFIX)):
            continue
        if entry.kind != "folder":
            walk.skipped.append(SkippedEntry(path, _reason(entry.kind)))
        elif is_wanted(entry.name):
            wanted.append(entry.name)
    below = _list_below(files, parent + table) if len(wanted) >= MIN_SHARE_OF_FOLDERS * len(entries) else None
    for name in wanted:
        walk.folders.append((table, name))
        folder = FoundFile(table, name, "", is_live=bool(parent))
        listed = _list(files, folder.path.rstrip("/"), walk) if below is None else below.get(name, [])
        _walk_partition(folder, listed, walk, hidden=hidden)


def _walk_index(files: "Files", walk: LedgerWalk) -> None:
    for entry in _list(files, INDEX_FOLDER, walk):
        if entry.name.startswith(INDEX_PREFIX) and entry.name.endswith(PARQUET_SUFFIX):
            if entry.kind == "file":
                walk.index.append(entry.name)
            else:
                walk.skipped.append(SkippedEntry(f"{INDEX_FOLDER}/{entry.name}", _reason(entry.kind)))


def _walk_partition(folder: FoundFile, entries: "list[Entry]", walk: LedgerWalk, *, hidden: bool) -> None:
    elsewhere = PARQUET_SUFFIX if folder.is_live else JSONL_SUFFIX
    for entry in entries:
        file = FoundFile(folder.table, folder.partition, entry.name, folder.is_live, entry.size_bytes)
        if is_hidden(entry.name):
            if hidden and entry.kind == "file":
                walk.files.append(file)
        elif entry.kind == "file" and entry.name.endswith(elsewhere):
            walk.skipped.append(SkippedEntry(file.path, _IN_WRONG_FOLDER[elsewhere]))
        elif entry.kind == "file":
            walk.files.append(file)
        elif _concerns(entry, entry.name.endswith((JSONL_SUFFIX, PARQUET_SUFFIX))):
            walk.skipped.append(SkippedEntry(file.path, _reason(entry.kind)))


def _concerns(entry: "Entry", is_named_so: bool) -> bool:
    """Return whether an entry concerns the ledger: by its name, or because somebody may expect it to be followed."""
    return is_named_so or entry.kind in {"link", "other"}


def _list(files: "Files", folder: str, walk: LedgerWalk) -> "list[Entry]":
    try:
        return files.list_folder(folder)
    except OSError as exc:
        walk.skipped.append(SkippedEntry(folder, f"a folder that cannot be listed: {exc.strerror or exc}"))
        return []


def _list_below(files: "Files", folder: str) -> "dict[str, list[Entry]] | None":
    try:
        return files.list_below(folder)
    except OSError:  # each folder is then listed by itself, and what cannot be listed is skipped by its name
        return None


def _reason(kind: "Kind") -> str:
    return _WHAT_IS[kind]


def _not_regular(path: str | os.PathLike[str], what: str) -> LedgerFormatError:
    return LedgerFormatError(f"{os.fspath(path)} is {what}. Put a regular file there, or remove it.")
