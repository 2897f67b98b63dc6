"""How a ledger that waits on this machine gets behind its URL: sealed files first there, then gone from here.

A file is removed here only after all of its bytes were seen there. The lines of ``runs`` go along as they are, so that
a run can be seen while it lasts; its sealed row replaces them.
"""

import logging
from contextlib import suppress
from pathlib import Path

from memanalysis.errors import LedgerError
from memanalysis.ledger.files import Files, files_at
from memanalysis.ledger.maintenance.upload_errors import explain_upload_error
from memanalysis.ledger.maintenance.upload_outcome import write_outcome
from memanalysis.ledger.paths import (
    JSONL_SUFFIX,
    LIVE_FOLDER,
    MARKER_NAME,
    PARQUET_SUFFIX,
    PARTITION_PREFIX,
    is_hidden,
)
from memanalysis.schema import TABLES

__all__ = ["upload_spool"]

ANSWER_S = 3.0
"""The first answer is waited for so long: who waits for the end of a program hears by then that there is none."""

UPLOAD_ANSWER_S = 30.0
"""The same of an upload, whose answer comes after all of the file was sent."""

_log = logging.getLogger(__name__)


def upload_spool(folder: Path, url: str) -> int:
    """Upload what is sealed in a folder, and remove it there; how many files.

    Raises
    ------
    LedgerError
        Something could not be uploaded; it stays, and the next call tries again.
    """
    n_uploaded = 0
    try:
        is_there = files_at(url, timeout_s=ANSWER_S).kind(MARKER_NAME) is not None
        files = files_at(url, timeout_s=UPLOAD_ANSWER_S)
        if not is_there:
            files.put(folder / MARKER_NAME, MARKER_NAME)
        for table in reversed(list(TABLES)):  # runs last: a sealed row of a run means that it is whole
            for path in sorted((folder / table).glob(f"{PARTITION_PREFIX}*/*{PARQUET_SUFFIX}")):
                if not is_hidden(path.name):
                    n_uploaded += _upload(files, folder, path)
        for path in sorted((folder / LIVE_FOLDER / "runs").glob(f"{PARTITION_PREFIX}*/*{JSONL_SUFFIX}")):
            with suppress(FileNotFoundError):
                files.put(path, path.relative_to(folder).as_posix())
    except LedgerError as exc:
        _note(folder, str(exc))
        raise
    except Exception as exc:  # a network and its libraries fail in a hundred ways; nothing is lost by any
        text = explain_upload_error(exc, url=url, spool=folder)
        _note(folder, text)
        raise LedgerError(text) from exc
    _note(folder, None)
    return n_uploaded


def _note(folder: Path, error: str | None) -> None:
    """Leave word of how it ended to those who do not see this process end."""
    try:
        write_outcome(folder, error)
    except OSError as exc:  # the disk refuses; the log has it
        _log.warning("memanalysis could not note in %s how the upload ended: %s", folder, exc)


def _upload(files: Files, folder: Path, path: Path) -> int:
    name = path.relative_to(folder).as_posix()
    try:
        files.put(path, name)
    except FileNotFoundError:
        if path.exists():
            raise
        return 0  # another process of ours uploaded it meanwhile
    lines = f"{LIVE_FOLDER}/{name.removesuffix(PARQUET_SUFFIX)}{JSONL_SUFFIX}"
    if name.startswith("runs/") and files.kind(lines) is not None:
        files.remove(lines)
    path.unlink(missing_ok=True)
    return 1
