"""Where a ledger's files are, on this machine or behind a URL, and how they are listed, opened, put and removed.

Nothing outside the ledger is touched: links below the ledger's own folder are not followed, and only regular files are
opened (a named pipe would hold its reader for ever).
"""

import io
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from memanalysis._atomic import write_atomic
from memanalysis.errors import InvalidArgumentError, LedgerError, MissingDependencyError
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.ledger.paths import is_hidden
from memanalysis.ledger.walk import open_regular

__all__ = ["Entry", "Files", "Kind", "LocalFiles", "RemoteFiles", "files_at", "unreadable", "visible"]

Kind = Literal["file", "folder", "link", "other"]

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "obs", "cos"})
"""Protocols of stores that have buckets and no folders."""

_STABLE_TRIES = 10
"""Times a folder is listed until two lists agree: a seal between may hide a shard under both its names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder; its size where the list has it."""

    name: str
    kind: Kind
    size_bytes: int | None = field(default=None, compare=False)


class Files(Protocol):
    """Files under one root; paths are relative, with ``/``, and ``""`` is the root."""

    root: str

    def kind(self, path: str) -> Kind | None:
        """Return what is at the path, or None."""

    def size(self, path: str) -> int:
        """Bytes of a file."""

    def list_folder(self, path: str) -> list[Entry]:
        """Names in a folder, sorted; empty if there is none."""

    def list_below(self, path: str) -> dict[str, list[Entry]] | None:
        """List what is in each folder within a folder at once, sorted; None where that is no quicker."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    def put(self, content: Path, path: str) -> None:
        """Put a whole file of this machine there, in place of what was there; a reader finds the one or the other."""

    def remove(self, path: str) -> None:
        """Remove a file; nothing there is well too."""


class LocalFiles:
    """Files of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    def kind(self, path: str) -> Kind | None:
        """Return what is at the path; the root itself may be a link."""
        full = Path(self.root, path)
        try:
            mode = (full.lstat() if path else full.stat()).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _kind_of(mode)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return Path(self.root, path).stat().st_size

    def list_folder(self, path: str) -> list[Entry]:
        """Names in a folder, sorted, the same in two lists one after the other."""
        entries = self._list_once(path)
        for _ in range(_STABLE_TRIES):
            again = self._list_once(path)
            if again == entries:
                break
            entries = again
        return entries

    def list_below(self, path: str) -> None:
        """Return None: folders of this machine are listed one by one."""

    def open(self, path: str) -> BinaryIO:
        """Open a regular file for reading; only the root itself may be a link."""
        return open_regular(Path(self.root, path), follow=not path)

    def put(self, content: Path, path: str) -> None:
        """Copy a file there, and then rename it into its place."""
        full = Path(self.root, path)
        full.parent.mkdir(parents=True, exist_ok=True)
        file_mode = stat.S_IMODE(full.stat().st_mode) if full.exists() else DEFAULT_FILE_MODE
        # a table's folder holds whole Parquet only
        temporary_folder = Path(self.root) if path else None
        write_atomic(full, content.read_bytes(), file_mode=file_mode, temporary_folder=temporary_folder)

    def remove(self, path: str) -> None:
        """Remove a file."""
        Path(self.root, path).unlink(missing_ok=True)

    def _list_once(self, path: str) -> list[Entry]:
        try:
            with os.scandir(Path(self.root, path)) as found:
                return sorted((Entry(item.name, _kind_of_entry(item)) for item in found), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []


class RemoteFiles:
    """Files behind a URL that fsspec understands."""

    def __init__(self, url: str, *, timeout_s: float | None = None) -> None:
        import fsspec

        self.root = url
        options = {} if timeout_s is None else _bound_waits(url, timeout_s)
        try:
            self._system, self._base = fsspec.core.url_to_fs(url, **options)
        except ImportError as exc:
            raise MissingDependencyError(f"open_ledger needs a package for {url!r}: {exc}.") from exc
        except ValueError as exc:
            raise InvalidArgumentError(
                f"open_ledger needs a path, or a URL of a protocol that fsspec knows, but got {url!r}: {exc}."
            ) from exc
        self._base = self._base.rstrip("/")
        if options:
            self._system.retries = 1  # s3fs tries five times beside what botocore does

    def kind(self, path: str) -> Kind | None:
        """Return what is at the path."""
        self._system.invalidate_cache()
        try:
            return _kind_of_item(self._system.info(self._full(path)), is_root=not path)
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self._system.size(self._full(path)))

    def list_folder(self, path: str) -> list[Entry]:
        """Names in a folder, sorted."""
        return sorted(self._entries(path), key=lambda entry: entry.name)

    def list_below(self, path: str) -> dict[str, list[Entry]] | None:
        """List what is in each folder within a folder: of a bucket 1,000 objects a request, whatever their folders."""
        if not self._is_store():
            return None
        self._system.invalidate_cache()
        full = self._full(path)
        below: dict[str, dict[str, Entry]] = {}
        for name, item in self._system.find(full, detail=True).items():
            folder, _, rest = name.removeprefix(f"{full}/").partition("/")
            own, slash, _ = rest.partition("/")
            if own:
                is_folder = bool(slash)
                entry = Entry(own, "folder" if is_folder else _kind_of_item(item), None if is_folder else item["size"])
                below.setdefault(folder, {})[own] = entry
        return {folder: [entries[own] for own in sorted(entries)] for folder, entries in below.items()}

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        # fsspec's own files know no bound of a line
        return io.BufferedReader(cast("io.RawIOBase", self._system.open(self._full(path), "rb")))

    def put(self, content: Path, path: str) -> None:
        """Upload a file and look whether all of it is there."""
        full = self._full(path)
        if not self._is_store():
            self._system.makedirs(full.rpartition("/")[0], exist_ok=True)
        self._system.put_file(str(content), full)
        self._system.invalidate_cache()
        found, expected = self._system.size(full), content.stat().st_size
        if found != expected:
            raise LedgerError(
                f"Uploading needs {expected} bytes at {self.root}/{path}, but {found} arrived. The file stays here."
            )

    def remove(self, path: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            self._system.rm_file(self._full(path))
        self._system.invalidate_cache()

    def _is_store(self) -> bool:
        """Return whether a store of objects is behind the URL: it has no folders, and making one makes a bucket."""
        system = self._system
        while (inner := getattr(system, "fs", None)) is not None:  # a cache, or another system in front of it
            system = inner
        protocol = system.protocol
        return not OBJECT_STORES.isdisjoint({protocol} if isinstance(protocol, str) else protocol)

    def _entries(self, path: str) -> Iterator[Entry]:
        self._system.invalidate_cache()
        full = self._full(path)
        try:
            found: list[dict[str, Any]] = self._system.ls(full, detail=True)
        except FileNotFoundError:
            return
        for item in found:
            name = str(item["name"]).rstrip("/")
            if name != full.rstrip("/"):  # some stores list a folder within itself
                yield Entry(name.rpartition("/")[2], _kind_of_item(item), item.get("size"))

    def _full(self, path: str) -> str:
        return f"{self._base}/{path}" if path else self._base


def files_at(path_or_url: str | os.PathLike[str], *, timeout_s: float | None = None) -> Files:
    """Files under a path of this machine or a URL (``file://`` is this machine).

    ``timeout_s`` bounds, for ``s3://``, how long an answer is waited for, and then nothing is tried again.
    """
    text = os.fspath(path_or_url)
    if not isinstance(text, str):
        raise InvalidArgumentError(f"open_ledger needs a path or URL as text, but got {text!r}.")
    if text.startswith("file://"):
        return LocalFiles(Path(url2pathname(urlsplit(text).path)))
    if "://" in text or "::" in text:
        return RemoteFiles(text, timeout_s=timeout_s)
    if not text or "\0" in text:
        raise InvalidArgumentError(f"open_ledger needs a path or URL, but got {text!r}. Name a ledger.")
    return LocalFiles(Path(text))


def visible(entries: list[Entry], kind: Kind) -> list[str]:
    """Names of one kind that readers do not pass over."""
    return [entry.name for entry in entries if entry.kind == kind and not is_hidden(entry.name)]


def unreadable(path: str, exc: OSError) -> LedgerError:
    """Error for a file or folder that is there but cannot be read."""
    return LedgerError(
        f"open_ledger needs to read {path}, but cannot: {exc.strerror or exc}. Check its permissions and the disk."
    )


def _bound_waits(url: str, timeout_s: float) -> dict[str, Any]:
    """Options of s3fs that bound how long it waits; what another protocol's are called is not known."""
    if urlsplit(url).scheme not in {"s3", "s3a"}:
        return {}
    config = {"connect_timeout": timeout_s, "read_timeout": timeout_s, "retries": {"max_attempts": 0}}
    return {"config_kwargs": config}


def _kind_of_item(item: Mapping[str, Any], *, is_root: bool = False) -> Kind:
    """Kind of what fsspec lists: stores have files and folders, other systems links and devices as well."""
    if item.get("islink") and not is_root:
        return "link"
    kinds: dict[str, Kind] = {"file": "file", "directory": "folder", "link": "link"}
    return kinds.get(item["type"], "other")


def _kind_of(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _kind_of_entry(item: os.DirEntry[str]) -> Kind:
    if item.is_symlink():
        return "link"
    if item.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if item.is_file(follow_symlinks=False) else "other"
