"""Whether a folder is a ledger, and of a version that is understood: the file ``ledger.json`` shows it."""

import json
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from memanalysis._atomic import TEMPORARY_SUFFIX, write_atomic
from memanalysis.errors import LedgerFormatError, LedgerVersionError
from memanalysis.ledger.paths import MARKER_NAME
from memanalysis.schema import SCHEMA_VERSION

__all__ = [
    "DEFAULT_FILE_MODE",
    "FORMAT_NAME",
    "check_version",
    "make_ledger_folder",
    "parse_marker",
    "write_marker",
]

FORMAT_NAME = "memanalysis-ledger"

DEFAULT_FILE_MODE = 0o600
"""Permissions of the files of a ledger, less the umask: arguments and marks of a program are for its user alone."""


def parse_marker(content: bytes, *, name: str) -> int:
    """Read the schema version that a marker states.

    Raises
    ------
    LedgerFormatError
        It is no marker of ours.
    LedgerVersionError
        It states a newer version.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise LedgerFormatError(_marker_text(name, "text that is not JSON")) from exc
    if not isinstance(found, dict) or found.get("format") != FORMAT_NAME:
        stated = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise LedgerFormatError(_marker_text(name, repr(stated)))
    version = found.get("schema_version")
    if type(version) is not int or version < 1:
        raise LedgerFormatError(_marker_text(name, f"schema_version {version!r}"))
    return check_version(version, name=name)


def check_version(version: int, *, name: str) -> int:
    """Give the version back if this memanalysis reads it."""
    if version > SCHEMA_VERSION:
        raise LedgerVersionError(
            f"{name} needs a memanalysis that reads ledger version {version}, "
            f"but this one reads up to {SCHEMA_VERSION}. Upgrade memanalysis."
        )
    return version


def make_ledger_folder(root: Path, *, file_mode: int = DEFAULT_FILE_MODE) -> None:
    """Make ``root`` a ledger if it is none; parameters as for `write_marker`.

    A folder that is not there yet appears with its marker in it: who waits for it may open it at once.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    if not root.exists():
        hidden = root.with_name(f".{root.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
        with suppress(OSError):  # another was first, or nothing can be written there: what is wrong shows below
            try:
                hidden.mkdir()
                write_marker(hidden, file_mode=file_mode)
                hidden.rename(root)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
    root.mkdir(exist_ok=True)
    write_marker(root, file_mode=file_mode)


def write_marker(root: Path, *, file_mode: int = DEFAULT_FILE_MODE) -> None:
    """Make ``root`` a ledger of the present version, or check the marker that is there.

    Parameters
    ----------
    root : Path
    file_mode : int
        Permissions of a marker that is made, less the umask.
    """
    marker = root / MARKER_NAME
    if marker.is_file():
        parse_marker(marker.read_bytes(), name=str(marker))
        return
    content = json.dumps({"format": FORMAT_NAME, "schema_version": SCHEMA_VERSION}).encode() + b"\n"
    write_atomic(marker, content, file_mode=file_mode)


def _marker_text(name: str, found: str) -> str:
    return (
        f"{name} needs format {FORMAT_NAME!r} and a schema_version, but has {found}. "
        "Restore it, or delete it to read the folder without."
    )
