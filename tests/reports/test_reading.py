"""The rows of a run are the same whether its ledger is a folder or one file, and whatever else is wanted of it."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.reports.reading import RunReader

RUNS = [("api", "r1"), ("api", "r2"), ("jobs", "r3")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    for number, (service, run_id) in enumerate(RUNS):
        begin = NEW_YEAR + 100 * number
        writer = LedgerWriter(path, run=run_row(service, run_id, started=begin))
        writer.append("samples", [sample_row(seq, timestamp=begin + seq) for seq in range(3)])
        writer.close(ended=begin + 3)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_file_gives_the_rows_of_a_run_as_its_folder_does(folder: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"samples.{suffix}"
    convert_ledger(folder, file)
    wanted = ["r3", "r1"]
    of_folder, of_file = (RunReader(open_ledger(path), run_ids=wanted) for path in (folder, file))

    for service, run_id in (("api", "r1"), ("jobs", "r3")):
        rows = of_folder.run("samples", service, run_id)
        assert len(rows) == 3
        pd.testing.assert_frame_equal(
            of_file.run("samples", service, run_id).reset_index(drop=True), rows.reset_index(drop=True)
        )


def test_rows_are_in_the_order_of_time_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    rows = {"run_id": ["a", "b", "a", "b"], "seq": [1, 1, 0, 0], "rss_bytes": [4, 3, 2, 1]}
    pq.write_table(pa.table({"service": ["api"] * 4} | rows), path)
    read = RunReader(open_ledger(path), run_ids=["b"])

    assert read.run("samples", "api", "b")["rss_bytes"].tolist() == [1, 3]
    assert read.run("sites", "api", "b").empty


def test_rows_without_a_run_or_a_service_are_a_run_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    pq.write_table(pa.table({"seq": [0, 1], "rss_bytes": [1, 2]}), path)
    nameless = RunReader(open_ledger(path), run_ids=[None])

    assert nameless.run("samples", None, pd.NA)["rss_bytes"].tolist() == [1, 2]
    assert RunReader(open_ledger(path), run_ids=["a"]).run("samples", None, "a").empty
