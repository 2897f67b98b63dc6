"""`Ledger.damage` decodes every page of every file, and holds only some rows at a time."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.reading import file_sources
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import TABLES

SAMPLES = "samples/service_key=api/r.parquet"
SITES = "sites/service_key=api/r.parquet"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ledger"
    writer = LedgerWriter(folder, run=run_row(run_id="r"))
    writer.append("samples", [sample_row(seq, label=f"mark {seq}") for seq in range(300)])
    site = {"timestamp": NEW_YEAR, "file": "a.py", "size_bytes": 5, "line": 3, "function": "f"}
    writer.append(
        "sites",
        [
            site | {"seq": seq, "site_id": str(seq), "traceback": [[f"{seq}.py", seq] for _ in range(9)]}
            for seq in range(300)
        ],
    )
    writer.close(ended=NEW_YEAR)
    return folder


def overwrite_column(path: Path, column: str) -> None:
    """Make the pages of one column unreadable; the footer stays as it is."""
    group = pq.read_metadata(path).row_group(0)
    (chunk,) = (one for one in map(group.column, range(group.num_columns)) if one.path_in_schema == column)
    begin = min(at for at in (chunk.dictionary_page_offset, chunk.data_page_offset) if at is not None)
    content = bytearray(path.read_bytes())
    content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)


@pytest.mark.parametrize("column", TABLES["sites"])
def test_a_corrupt_page_of_any_column_is_found(root: Path, column: str) -> None:
    """Those of JSON and of columns that are null throughout too, which nothing else would read."""
    overwrite_column(root / SITES, column)

    ledger = open_ledger(root)

    (damage,) = ledger.damage
    assert (damage.file, damage.lines_skipped) == (SITES, None)
    assert damage.reason.startswith(f"open_ledger needs a whole Parquet file, but {root}/{SITES} is none: ")


def test_some_rows_are_held_at_a_time(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 rows in a folder, and of the same in one file, 100 at a time."""
    convert_ledger(root, tmp_path / "one.parquet")
    sizes: list[int] = []
    null_impossible = file_sources.null_impossible

    def note(rows: pa.Table, table: str, removed: file_sources.Removed) -> pa.Table:
        sizes.append(rows.num_rows)
        return null_impossible(rows, table, removed)

    monkeypatch.setattr(file_sources, "_CHECKED_ROWS", 100)
    monkeypatch.setattr(file_sources, "null_impossible", note)

    assert open_ledger(root).damage == []
    assert sorted(sizes) == [2, *[100] * 6]  # of runs, samples and sites
    sizes.clear()
    assert open_ledger(tmp_path / "one.parquet").damage == []
    assert sizes == [100] * 3


@pytest.mark.parametrize("is_plain", [True, False])
def test_values_that_cannot_be_are_counted_over_all_rows_of_a_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_plain: bool
) -> None:
    """In files with the columns of the table, and in those of another tool with columns of other types."""
    monkeypatch.setattr(file_sources, "_CHECKED_ROWS", 100)
    rows = pq.read_table(root / SAMPLES, partitioning=None)
    sizes = pa.array([-1 if seq % 3 == 0 else seq for seq in range(300)], pa.int64() if is_plain else pa.int32())
    labels = pa.array([b"\xff" if seq % 50 == 0 else b"x" for seq in range(300)]).cast(pa.string(), safe=False)
    rows = rows.set_column(rows.column_names.index("rss_bytes"), "rss_bytes", sizes)
    pq.write_table(rows.set_column(rows.column_names.index("label"), "label", labels), root / SAMPLES)

    expected = [
        SkippedRows(SAMPLES, 0, "text that is not UTF-8", "label", 6),
        SkippedRows(SAMPLES, 0, "below 0 or above any memory", "rss_bytes", 100),
    ]
    assert open_ledger(root).damage == expected
    ledger = open_ledger(root)
    assert ledger.samples["rss_bytes"].isna().sum() == 100
    assert ledger.damage_found == expected


@pytest.mark.parametrize("n_rows", [0, 5])
def test_a_column_that_is_there_twice_is_named(root: Path, n_rows: int) -> None:
    doubled = pa.table([pa.array([1] * n_rows, pa.int64())] * 2, names=["rss_bytes", "rss_bytes"])
    pq.write_table(doubled, root / SAMPLES)

    (damage,) = open_ledger(root).damage

    assert "has the column 'rss_bytes' 2 times" in damage.reason
