"""Read the last rows of a run from the JSON lines that its process left, without pyarrow and without the rest.

A run that was killed leaves its files as JSON lines. The last rows show what it did, and are wanted in milliseconds,
where a kernel starts. Files that were sealed or compacted meanwhile are not read here.
"""

import os
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.paths import JSONL_SUFFIX, LIVE_FOLDER, PARTITION_PREFIX, run_of_stem, slug_of_service
from memanalysis.ledger.walk import open_regular
from memanalysis.schema import TABLES

__all__ = ["TAIL_BYTES", "list_live_runs", "read_last_rows"]

TAIL_BYTES = 256 * 1024
"""Of the end of a file: hundreds of rows."""


def list_live_runs(root: Path, *, service: str | None = None) -> list[str]:
    """Return the runs that have a file of JSON lines in ``runs``, of one service or of all, in the order of names.

    Names of runs begin with when they started.
    """
    folder = root / LIVE_FOLDER / "runs"
    partition = "*" if service is None else PARTITION_PREFIX + slug_of_service(service)
    stems = (path.stem for path in folder.glob(f"{partition}/*{JSONL_SUFFIX}"))
    return sorted({run_of_stem(stem) for stem in stems})


def read_last_rows(root: Path, table: str, run_id: str, *, tail_bytes: int = TAIL_BYTES) -> list[dict[str, Any]]:
    """Return the last rows of one run of a local ledger; empty where it left no JSON lines.

    Times are epoch seconds, and what is unknown is left out.

    Parameters
    ----------
    tail_bytes : int
        Of the end of its last file.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    folder = root / LIVE_FOLDER / table
    files = [path for path in folder.glob(f"*/{run_id}*{JSONL_SUFFIX}") if run_of_stem(path.stem) == run_id]
    if not files:
        return []
    newest = max(files, key=lambda path: (path.stat().st_mtime_ns, path.name))
    with open_regular(newest) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - tail_bytes))
        tail = stream.read()
    if size > tail_bytes:
        tail = tail.partition(b"\n")[2]
    return [_read_cells(table, row) for row in iter_rows(BytesIO(tail), table, Counter())]


def _read_cells(table: str, row: dict[str, Any]) -> dict[str, Any]:
    kinds = TABLES[table]
    return {
        name: value / 1e6 if kinds[name] == "timestamp" else value for name, value in row.items() if value is not None
    }
