"""A table is reduced some rows at a time: what is held grows with what the function returns, and not with the table."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.reading import dataset_source, pieces
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.ledger.reading.small_files import SMALL_ROWS
from memanalysis.ledger.writing.ledger_writer import LedgerWriter


def count_rows(rows: pa.Table) -> pa.Table:
    return rows.group_by("run_id").aggregate([("rss_bytes", "sum")])


def read_sums(ledger: Ledger, **chosen: object) -> dict[str, int]:
    found = ledger.aggregate("samples", count_rows, columns=["run_id", "rss_bytes"], **chosen)  # type: ignore[arg-type]
    sums: dict[str, int] = {}
    for run_id, size in zip(found["run_id"].to_pylist(), found["rss_bytes_sum"].to_pylist(), strict=True):
        sums[run_id] = sums.get(run_id, 0) + size
    return sums


SUM = 1024 * (0 + 1 + 2)
"""Of the three samples of each run of `root`."""


def test_each_row_is_reduced_once_whatever_the_shape_of_the_ledger(root: Path, tmp_path: Path) -> None:
    convert_ledger(root, tmp_path / "one.parquet")
    everything = {"r1": SUM, "r2": SUM, "r3": SUM}

    assert read_sums(open_ledger(root)) == everything
    assert read_sums(open_ledger(tmp_path / "one.parquet")) == everything


def test_services_time_and_part_choose_as_they_do_for_a_read(root: Path) -> None:
    ledger = open_ledger(root)

    assert read_sums(ledger, services=["a"]) == {"r2": SUM, "r3": SUM}
    assert read_sums(ledger, services=["nobody"]) == {}
    assert read_sums(ledger, since=NEW_YEAR + 601) == {"r3": 1024 * (1 + 2)}
    assert read_sums(ledger, part=LedgerPart(partitions=("service_key=a",), run_ids=("r2",))) == {"r2": SUM}


def test_no_more_rows_than_a_batch_are_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six files of 40 rows, and batches of 100: three files at a time where they are read as they are opened."""
    monkeypatch.setattr(pieces, "_BATCH_ROWS", 100)
    for number in range(6):
        writer = LedgerWriter(tmp_path, run=run_row(run_id=f"r{number}"))
        writer.append("samples", [sample_row(seq) for seq in range(40)])
        if number % 2:
            writer.close(ended=NEW_YEAR)  # sealed; the others stay lines
    sizes: list[int] = []

    def note(rows: pa.Table) -> pa.Table:
        sizes.append(rows.num_rows)
        return rows.slice(0, 1)

    found = open_ledger(tmp_path).aggregate("samples", note, columns=["run_id"])

    assert sum(sizes) == 240
    assert max(sizes) <= 120
    assert found.num_rows == len([size for size in sizes if size])


def test_a_file_is_opened_when_the_rows_of_the_ones_before_are_reduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files that are too large to be read as they are opened, as many are open as make a batch."""
    for number in range(4):
        writer = LedgerWriter(tmp_path, run=run_row(run_id=f"r{number}"))
        writer.append("samples", [sample_row(seq) for seq in range(SMALL_ROWS + 1)])
        writer.close(ended=NEW_YEAR)
    monkeypatch.setattr(pieces, "_BATCH_ROWS", SMALL_ROWS + 1)
    opened: list[str] = []
    make_fragment = dataset_source.make_fragment

    def note(name: str) -> Any:
        opened.append(name)
        return make_fragment(name)

    monkeypatch.setattr(dataset_source, "make_fragment", note)
    ledger = open_ledger(tmp_path)
    found = ledger.aggregate(
        "samples",
        lambda rows: pa.table({"rows": [rows.num_rows], "opened": [len(opened)]}),
        columns=["run_id"],
    )

    batches = [row for row in found.to_pylist() if row["rows"]]
    assert batches == [{"rows": SMALL_ROWS + 1, "opened": opened} for opened in (2, 3, 4, 4)]


def test_what_cannot_be_read_is_named_and_the_rest_is_reduced(root: Path) -> None:
    folder = root / "samples" / "service_key=a"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "r9.parquet").write_bytes(b"PAR1 no more")
    ledger = open_ledger(root)

    assert read_sums(ledger) == {"r1": SUM, "r2": SUM, "r3": SUM}
    assert [Path(record.file).name for record in ledger.damage_found] == ["r9.parquet"]


def test_a_row_without_a_service_has_the_one_of_its_folder(tmp_path: Path) -> None:
    """As in Parquet that another tool partitioned."""
    folder = tmp_path / "samples" / "service_key=api"
    folder.mkdir(parents=True)
    pa.parquet.write_table(pa.table({"run_id": ["r"], "elapsed_s": [0.0], "rss_bytes": [1]}), folder / "r.parquet")

    found = open_ledger(tmp_path).aggregate("samples", lambda rows: rows, columns=["service", "timestamp"])

    assert found["service"].to_pylist() == ["api"]
    assert pc.is_null(found["timestamp"]).to_pylist() == [True]
