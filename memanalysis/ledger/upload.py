"""How a ledger that waits on this machine gets behind its URL: sealed files first there, then gone from here.

A file is removed here only after all of its bytes were seen there. The lines of ``runs`` go along as they are, so that
a run can be seen while it lasts; its sealed row replaces them.
"""

import logging
from contextlib import suppress
from pathlib import Path

from memanalysis.errors import LedgerError
from memanalysis.ledger.files import Files, files_at
from memanalysis.ledger.paths import JSONL_SUFFIX, MARKER_NAME, PARQUET_SUFFIX, SERVICE_PREFIX, is_hidden
from memanalysis.schema import TABLES

__all__ = ["upload_spool"]

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
        files = files_at(url)
        if files.kind(MARKER_NAME) is None:
            files.put(folder / MARKER_NAME, MARKER_NAME)
        for table in reversed(list(TABLES)):  # runs last: a sealed row of a run says that it is whole
            for path in sorted((folder / table).glob(f"{SERVICE_PREFIX}*/*{PARQUET_SUFFIX}")):
                if not is_hidden(path.name):
                    n_uploaded += _upload(files, folder, path)
        for path in sorted((folder / "runs").glob(f"{SERVICE_PREFIX}*/*{JSONL_SUFFIX}")):
            with suppress(FileNotFoundError):
                files.put(path, path.relative_to(folder).as_posix())
    except LedgerError:
        raise
    except Exception as exc:  # a network and its libraries fail in a hundred ways; nothing is lost by any
        raise LedgerError(
            f"Uploading needs to reach {url}, but cannot: {type(exc).__name__}: {exc}. The rows wait in {folder}; "
            f"the next run takes them along, or run: memanalysis compact {url}"
        ) from exc
    return n_uploaded


def _upload(files: Files, folder: Path, path: Path) -> int:
    name = path.relative_to(folder).as_posix()
    try:
        files.put(path, name)
    except FileNotFoundError:
        if path.exists():
            raise
        return 0  # another process of ours uploaded it meanwhile
    lines = name.removesuffix(PARQUET_SUFFIX) + JSONL_SUFFIX
    if name.startswith("runs/") and files.kind(lines) is not None:
        files.remove(lines)
    path.unlink(missing_ok=True)
    return 1
