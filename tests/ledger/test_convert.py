"""A ledger of any shape becomes one of any other, and what that has no place for is reported."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row, write_ledger

from memanalysis.classes.memory_ledger import MemoryLedger
from memanalysis.errors import InvalidArgumentError, LedgerNotFoundError
from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.reports.make_report import report
from memanalysis.schema import TABLES
from memanalysis.verdicts.assess import assess

SHAPES = ["folder", "x.parquet", "x.jsonl", "x.json"]
HELD_BY_ALL = ["service", "timestamp", "traced_bytes", "object_count", "gc_collections"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two services with all five tables, and samples that the JSON array can hold."""
    root = tmp_path / "source"
    write_ledger(root, seal=False)
    writer = LedgerWriter(root, run=run_row("c/\U0001f600", "r9", argv=["x", 1]))
    rows = [
        sample_row(seq, timestamp=NEW_YEAR + seq + 0.123456, traced_bytes=seq * 1_000_003, object_count=seq)
        for seq in range(40)
    ]
    writer.append("samples", rows)
    writer.close(ended=NEW_YEAR + 50, seal=True)
    return root


@pytest.mark.parametrize("second", SHAPES)
@pytest.mark.parametrize("first", SHAPES)
def test_any_shape_becomes_any_other_and_keeps_what_both_can_hold(
    source: Path, tmp_path: Path, first: str, second: str
) -> None:
    one, two = tmp_path / "one" / first, tmp_path / "two" / second
    convert_ledger(source, one)

    convert_ledger(one, two)

    before, after = open_ledger(source), open_ledger(two)
    is_array = ".json" in {one.suffix, two.suffix}
    columns = HELD_BY_ALL if is_array else list(TABLES["samples"])
    key = ["service", "timestamp", "traced_bytes"]
    expected = before.samples[columns].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(after.samples[columns].sort_values(key, ignore_index=True), expected)
    assert after.services == before.services
    whole = {".jsonl", ""}
    if one.suffix in whole and two.suffix in whole:
        for table in TABLES:
            pd.testing.assert_frame_equal(getattr(after, table), getattr(before, table))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_can_be_assessed_and_reported(source: Path, tmp_path: Path, shape: str) -> None:
    convert_ledger(source, tmp_path / shape)

    assert set(assess(tmp_path / shape)["service"]) == {"a", "b", "c/\U0001f600"}
    assert "c/\U0001f600" in report(tmp_path / shape).to_markdown()


def test_a_json_array_that_was_converted_is_read_by_the_class_interface(source: Path, tmp_path: Path) -> None:
    convert_ledger(source, tmp_path / "x.json")

    ledger = MemoryLedger(tmp_path / "x.json")
    assert ledger.load()
    entries = ledger.get_entries_for_service("c/\U0001f600")
    assert [entry.object_count for entry in entries] == list(range(40))
    assert entries[1].memory_usage_mb == 1_000_003 / 2**20
    assert entries[1].timestamp == NEW_YEAR + 1.123456


def test_what_is_left_out_is_reported(source: Path, tmp_path: Path) -> None:
    assert convert_ledger(source, tmp_path / "x.parquet").left_out == [
        "4 runs, 3 sites, 3 objects, 3 events: a Parquet file holds samples only"
    ]
    assert convert_ledger(source, tmp_path / "x.json").left_out == [
        "the memory of 9 samples: it is the traced memory, and nothing was traced",
        "columns without a field in the JSON array: run_id, seq, elapsed_s, rss_bytes",
        "4 runs, 3 sites, 3 objects, 3 events: the JSON array holds samples only",
    ]
    assert convert_ledger(source, tmp_path / "folder").left_out == []


def test_rows_of_a_foreign_file_without_service_and_run_keep_none(tmp_path: Path) -> None:
    table = pa.table({"timestamp": [1.0, 2.0, 3.0], "rss_bytes": [1, 2, 3], "service": ["a", None, None]})
    pq.write_table(table.append_column("run_id", pa.array(["../x", None, "r"])), tmp_path / "x.parquet")

    convert_ledger(tmp_path / "x.parquet", tmp_path / "folder")

    pd.testing.assert_frame_equal(open_ledger(tmp_path / "folder").samples, open_ledger(tmp_path / "x.parquet").samples)
    assert open_ledger(tmp_path / "folder").services == ["a"]


def test_a_target_that_is_there_is_replaced_only_when_that_is_allowed(source: Path, tmp_path: Path) -> None:
    for shape in SHAPES:
        target = tmp_path / shape
        convert_ledger(source, target)
        with pytest.raises(InvalidArgumentError) as caught:
            convert_ledger(source, target)
        assert str(caught.value) == (
            f"convert needs a target that is not there yet, but {target} is. "
            "Give another path, or allow to overwrite it."
        )
        convert_ledger(source, target, overwrite=True)
        assert len(open_ledger(target).samples) == 49
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*SHAPES, "source"])


def test_a_folder_that_is_no_ledger_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x", encoding="utf-8")

    with pytest.raises(InvalidArgumentError, match="convert overwrites ledgers only"):
        convert_ledger(source, tmp_path / "mine", overwrite=True)

    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize("target", ["x.csv", "x.pkl"])
def test_a_target_of_another_shape_is_refused_before_anything_is_read(
    source: Path, tmp_path: Path, target: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"needs a target that is a folder, \.parquet, \.jsonl or \.json"):
        convert_ledger(source, tmp_path / target)
    with pytest.raises(LedgerNotFoundError):
        convert_ledger(tmp_path / "nothing", tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()
