"""What is in a ledger, at a glance: shape, size, services, runs, rows and times of each table, what was left out."""

import os
from dataclasses import dataclass
from datetime import datetime

from memanalysis.ledger.files import Files, files_at
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.walk import walk_ledger
from memanalysis.schema import SCHEMA_VERSION, TABLES

__all__ = ["LedgerInfo", "TableInfo", "describe_ledger"]


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table: rows, files and bytes, sealed and live, and its first and last moment."""

    rows: int
    sealed_files: int
    live_files: int
    size: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """What a ledger holds; ``open_runs`` are those without an end: alive, or killed."""

    path: str
    shape: str
    schema_version: int
    size: int
    services: tuple[str, ...]
    runs: int
    open_runs: int
    tables: dict[str, TableInfo]
    damage: tuple[SkippedRows, ...]


def describe_ledger(path_or_url: str | os.PathLike[str]) -> LedgerInfo:
    """Look through a ledger of any shape.

    Raises
    ------
    LedgerError
        It is none, or cannot be read.
    """
    ledger = open_ledger(path_or_url)
    files = files_at(path_or_url)
    is_folder = files.kind("") == "folder"
    sizes = _sizes(files) if is_folder else {}
    tables = {}
    for table in TABLES:
        moment = "started" if table == "runs" else "timestamp"
        moments = ledger.read(table, columns=[moment])[moment]
        known = moments.dropna()
        n_sealed, n_live, size = sizes.get(table, (0, 0, 0))
        first, last = (known.min(), known.max()) if len(known) else (None, None)
        tables[table] = TableInfo(
            len(moments),
            n_sealed,
            n_live,
            size,
            None if first is None else first.to_pydatetime(),
            None if last is None else last.to_pydatetime(),
        )
    runs = ledger.read("runs", columns=["ended"])
    run_ids = ledger.read("samples", columns=["service", "run_id"]).drop_duplicates()
    return LedgerInfo(
        path=ledger.path,
        shape="folder" if is_folder else ledger.path.rpartition(".")[2].lower(),
        schema_version=SCHEMA_VERSION,
        size=sum(table.size for table in tables.values()) if is_folder else files.size(""),
        services=tuple(ledger.services),
        runs=max(len(runs), len(run_ids)),
        open_runs=int(runs["ended"].isna().sum()),
        tables=tables,
        damage=tuple(ledger.damage),
    )


def _sizes(files: Files) -> dict[str, tuple[int, int, int]]:
    """Sealed files, live files and bytes of each table of a folder."""
    found = dict.fromkeys(TABLES, (0, 0, 0))
    for file in walk_ledger(files).files:
        if file.suffix not in {JSONL_SUFFIX, PARQUET_SUFFIX}:
            continue
        try:
            size = files.size(file.path)
        except FileNotFoundError:  # sealed or dropped meanwhile
            continue
        n_sealed, n_live, total = found[file.table]
        is_sealed = file.suffix == PARQUET_SUFFIX
        found[file.table] = (n_sealed + is_sealed, n_live + (not is_sealed), total + size)
    return found
