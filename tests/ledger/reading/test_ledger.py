"""A folder of shards opens as five frames in order, with the schema's dtypes, read no further than asked."""

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, check_dtypes, run_row, sample_row

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import TABLES


@pytest.mark.slow
def test_a_folder_gives_five_frames_in_order(root: Path) -> None:
    ledger = open_ledger(root)

    check_dtypes(ledger)
    assert ledger.path == str(root)
    assert ledger.services == ["a", "b"]
    samples = ledger.samples
    assert list(zip(samples["service"], samples["run_id"], samples["seq"], strict=True)) == [
        (service, run_id, seq) for service, run_id in (("a", "r2"), ("a", "r3"), ("b", "r1")) for seq in range(3)
    ]
    assert samples["timestamp"][3] == pd.Timestamp("2025-01-01T00:10:00Z")
    assert samples["rss_bytes"].tolist() == [0, 1024, 2048] * 3
    assert samples["pss_bytes"].isna().all()
    assert ledger.sites["traceback"].tolist() == [[["m.py", 1], ["a.py", 3]]] * 3
    assert ledger.events["data"].tolist() == [{"note": "<b>"}] * 3
    assert ledger.objects["count"].tolist() == [7, 7, 7]
    assert ledger.runs["run_id"].tolist() == ["r2", "r3", "r1"]
    assert ledger.damage == []


def test_a_read_takes_only_what_is_asked_for(root: Path) -> None:
    ledger = open_ledger(root)

    narrowed = ledger.read(
        "samples", columns=["rss_bytes", "service"], services=["a"], since=NEW_YEAR + 1, until="2025-01-01T00:10:01Z"
    )

    assert list(narrowed.columns) == ["rss_bytes", "service"]
    assert narrowed["rss_bytes"].tolist() == [1024, 2048, 0]
    assert set(narrowed["service"]) == {"a"}
    since = dt.datetime(2025, 1, 1, 0, 10, 2)  # without a zone it is UTC
    assert ledger.read("samples", since=since)["seq"].tolist() == [2]
    assert ledger.read("samples", services=["nobody"]).empty
    assert ledger.read("samples", services=[]).empty


def test_a_run_is_read_if_any_of_it_lies_in_the_time_asked_for(root: Path) -> None:
    """r1 and r2 last from minute 0 to 1, r3 from 10 to 11; one that never ended may last still."""
    LedgerWriter(root, run=run_row("c", "r4", started=NEW_YEAR + 120))
    ledger = open_ledger(root)

    assert ledger.read("runs", since=NEW_YEAR + 30, until=NEW_YEAR + 31)["run_id"].tolist() == ["r2", "r1"]
    assert ledger.read("runs", since=NEW_YEAR + 61)["run_id"].tolist() == ["r3", "r4"]
    assert ledger.read("runs", columns=["run_id"], until=NEW_YEAR + 121)["run_id"].tolist() == ["r2", "r1", "r4"]


def test_a_ledger_that_grows_is_read_again_each_time(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    ledger = open_ledger(tmp_path)
    assert ledger.samples.empty

    writer.append("samples", [sample_row(0)])

    assert len(ledger.samples) == 1


def test_rows_with_a_clock_that_jumped_back_keep_the_order_of_seq(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [{"seq": seq, "timestamp": stamp} for seq, stamp in enumerate([50.0, 60.0, 10.0, 20.0])])

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1, 2, 3]


def test_rows_without_seq_come_by_time_and_rows_without_both_last(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"label": "c"},
        {"timestamp": 2, "label": "b"},
        {"timestamp": 1, "label": "a"},
        {"seq": 0, "label": "first"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    assert open_ledger(path).samples["label"].tolist() == ["first", "a", "b", "c"]


def test_a_ledger_without_rows_opens_with_empty_frames(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"format": "memanalysis-ledger", "schema_version": 1}', encoding="utf-8")

    ledger = open_ledger(tmp_path)

    check_dtypes(ledger)
    assert ledger.services == []
    assert ledger.damage == []
    assert all(getattr(ledger, table).empty for table in TABLES)


def test_a_folder_of_tables_without_a_marker_opens(root: Path) -> None:
    (root / "ledger.json").unlink()

    assert len(open_ledger(root).samples) == 9


def test_parquet_partitioned_by_another_tool_takes_its_service_from_the_folder(tmp_path: Path) -> None:
    """pandas and Spark leave the partition's column out of the files, and these have no column ``service``."""
    frame = pd.DataFrame({"service_key": ["api", "c"], "timestamp": [1.0, 2.0], "rss_bytes": [10, 20]})
    frame.to_parquet(tmp_path / "samples", partition_cols=["service_key"])

    samples = open_ledger(tmp_path).samples
    assert samples["service"].tolist() == ["api", "c"]
    assert samples["rss_bytes"].tolist() == [10, 20]


@pytest.mark.parametrize("seal", [True, False])
def test_a_service_whose_name_was_cut_is_known_by_its_whole_name(tmp_path: Path, seal: bool) -> None:
    names = ["\u00e4" * 300, "\u00e4" * 300 + "b"]
    for number, name in enumerate(names):
        writer = LedgerWriter(tmp_path, run=run_row(name, f"r{number}"))
        writer.append("samples", [sample_row(number)])
        writer.close(ended=NEW_YEAR, seal=seal)

    ledger = open_ledger(tmp_path)
    assert ledger.services == names
    assert ledger.read("samples", services=[names[1]])["seq"].tolist() == [1]
