"""Write a whole file at once: a reader, and the machine after a crash, finds the old content or the new one.

The content goes to a hidden temporary file, in the same folder unless another is named. It is synced to the disk and
renamed over the old file. Whatever fails on the way, an interrupt included, leaves the old file as it was and no
temporary file.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["TEMPORARY_SUFFIX", "open_atomic", "sync_folder", "write_atomic"]

TEMPORARY_SUFFIX = ".tmp"
"""End of the names of temporary files; they begin with a dot, so that no reader takes them for data."""

_MAKE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def open_atomic(path: Path, *, file_mode: int = 0o666, temporary_folder: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing whose content takes the place of ``path`` when the block ends without an error.

    Parameters
    ----------
    path : Path
        File to make or to replace; its folder must exist.
    file_mode : int
        Permissions of the new file, less the umask.
    temporary_folder : Path, optional
        Folder of the temporary file, on the same file system; the file's own where none is given.
    """
    temporary = (temporary_folder or path.parent) / f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
    try:
        with os.fdopen(os.open(temporary, _MAKE_FLAGS, file_mode), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:  # an interrupt too: no half file stays, and the error goes on
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomic(path: Path, content: bytes, *, file_mode: int = 0o666, temporary_folder: Path | None = None) -> None:
    """Write ``content`` as the whole of ``path``; parameters as for `open_atomic`."""
    with open_atomic(path, file_mode=file_mode, temporary_folder=temporary_folder) as stream:
        stream.write(content)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder outlast a power cut, on the systems where a folder can be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
