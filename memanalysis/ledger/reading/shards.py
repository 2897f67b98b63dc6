"""Which files of each folder of a ledger hold its rows, in which order they are read, and how large they are."""

from memanalysis.ledger.files import Files
from memanalysis.ledger.merge_journal import find_replaced
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX
from memanalysis.ledger.walk import LedgerWalk, walk_ledger

__all__ = ["Stems", "find_stems", "measure_partitions"]

_MAX_SEGMENT_DIGITS = 9

LINES_PER_PARQUET_BYTE = 12
"""A row as a JSON line takes about this number of times the bytes that it takes in Parquet."""

Stems = list[tuple[str, set[str]]]
"""Names of shards without their suffix, and the suffixes that each has."""


def find_stems(files: Files, walk: LedgerWalk) -> dict[tuple[str, str], Stems]:
    """Return the shards of each folder, by the number of their segment, and the suffixes that each has.

    A file that was merged, and is still there, is left out: its rows are in the merged file.
    """
    listed: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for file in walk.files:
        if file.suffix in {JSONL_SUFFIX, PARQUET_SUFFIX}:
            listed.setdefault((file.table, file.partition), []).append((file.stem, file.suffix))
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for folder, shards in listed.items():
        replaced = find_replaced(files, "/".join(folder), [stem + suffix for stem, suffix in shards])
        for stem, suffix in shards:
            if stem + suffix not in replaced:
                found.setdefault(folder, {}).setdefault(stem, set()).add(suffix)
    return {folder: sorted(stems.items(), key=lambda item: _segment_key(item[0])) for folder, stems in found.items()}


def measure_partitions(files: Files, table: str) -> dict[str, int]:
    """Return the bytes of each folder of a table, as if all of its rows were in Parquet."""
    sizes: dict[str, int] = {}
    for file in walk_ledger(files, tables=[table]).files:
        if file.suffix not in {JSONL_SUFFIX, PARQUET_SUFFIX}:
            continue
        try:
            size = files.size(file.path) if file.size_bytes is None else file.size_bytes
        except OSError:  # it was sealed or dropped meanwhile, or cannot be read, which the reader notes
            size = 0
        sizes[file.partition] = sizes.get(file.partition, 0) + (
            size // LINES_PER_PARQUET_BYTE if file.suffix == JSONL_SUFFIX else size
        )
    return sizes


def _segment_key(stem: str) -> tuple[str, int, str]:
    """Order of files: those of one run by the number of the segment, the first without one."""
    run, _, number = stem.rpartition(".")
    is_number = bool(run) and number.isascii() and number.isdigit() and len(number) <= _MAX_SEGMENT_DIGITS
    return (run, int(number), stem) if is_number else (stem, 0, stem)
