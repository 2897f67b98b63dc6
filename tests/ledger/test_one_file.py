"""A ledger of one file, Parquet, JSON lines or the JSON array, opens as the same frames."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import check_dtypes

from memanalysis.errors import (
    LedgerFormatError,
)
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger


@pytest.mark.slow
def test_a_parquet_file_of_samples_opens_whatever_its_types(tmp_path: Path) -> None:
    """Values by hand; NaN bytes are unknown, times without a zone are UTC, nanoseconds are cut."""
    path = tmp_path / "samples.parquet"
    table = pa.table(
        {
            "service": pa.array(["b", "a", None]).dictionary_encode(),
            "timestamp": pa.array([1735689600_000000_999, 1735689601_000000_000, None], pa.timestamp("ns")),
            "rss_bytes": pa.array([1024.0, np.nan, 2048.4], pa.float64()),
            "seq": pa.array([0, 1, 2], pa.int8()),
            "elapsed_s": pa.array([0.5, None, 1.5], pa.float32()),
            "colour": pa.array(["red", "green", "blue"]),
        }
    )
    pq.write_table(table, path)

    ledger = open_ledger(path)

    check_dtypes(ledger)
    samples = ledger.samples
    assert samples["seq"].tolist() == [1, 0, 2]
    assert samples["service"].tolist()[:2] == ["a", "b"]
    assert samples["service"].isna().tolist() == [False, False, True]
    assert samples["timestamp"][1] == pd.Timestamp("2025-01-01T00:00:00Z")
    assert samples["rss_bytes"].isna().tolist() == [True, False, False]
    assert samples["rss_bytes"].dropna().tolist() == [1024, 2048]
    assert samples["run_id"].isna().all()
    assert ledger.services == ["a", "b"]
    assert ledger.sites.empty


@pytest.mark.parametrize(
    "timestamps",
    [
        pa.array([1735689600.5]),
        pa.array(["2025-01-01T00:00:00.5"]),
        pa.array(["2025-01-01T01:00:00.5+01:00"]),
        pa.array([1735689600500], pa.timestamp("ms", tz="Europe/Paris")),
    ],
)
def test_timestamps_of_a_parquet_file_may_be_seconds_text_or_of_any_zone(tmp_path: Path, timestamps: pa.Array) -> None:
    path = tmp_path / "samples.parquet"
    pq.write_table(pa.table({"timestamp": timestamps}), path)

    assert open_ledger(path).samples["timestamp"].tolist() == [pd.Timestamp("2025-01-01T00:00:00.5Z")]


def test_a_parquet_file_with_a_column_of_a_hopeless_type_says_which(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    pq.write_table(pa.table({"rss_bytes": ["many"]}), path)

    with pytest.raises(LedgerFormatError) as caught:
        _ = open_ledger(path).samples

    assert str(caught.value) == (
        f"{path} needs int64 in column 'rss_bytes', but has string that cannot become it. "
        "Convert the column, or leave it out."
    )


def test_a_frame_written_by_pandas_and_read_back_is_equal(root: Path, tmp_path: Path) -> None:
    before = open_ledger(root).samples
    before.to_parquet(tmp_path / "copy.parquet")

    pd.testing.assert_frame_equal(open_ledger(tmp_path / "copy.parquet").samples, before)


def test_a_file_of_lines_holds_samples_or_rows_that_name_their_table(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"service": "a", "seq": 0, "timestamp": "2025-01-01T00:00:00Z", "rss_bytes": 5, "colour": "red"},
        {"table": "samples", "service": "a", "seq": 1, "timestamp": "2025-01-01T00:00:01", "rss_bytes": 6},
        {"table": "events", "service": "b", "timestamp": 1735689600, "kind": "mark", "data": [1, {"x": None}]},
        {"table": "colours", "service": "c"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n{", encoding="utf-8")

    ledger = open_ledger(path)

    check_dtypes(ledger)
    assert ledger.samples["rss_bytes"].tolist() == [5, 6]
    assert ledger.events["data"].tolist() == [[1, {"x": None}]]
    assert ledger.services == ["a", "b"]
    assert ledger.damage == [
        SkippedRows(str(path), 1, "of no table that is known"),
        SkippedRows(str(path), 1, "torn last line"),
    ]


def test_a_json_array_opens_as_samples(tmp_path: Path) -> None:
    """Values by hand: 1.5 MB are 1,572,864 bytes; each service counts from its own first entry, in order of time."""
    path = tmp_path / "memory_ledger.json"
    fields = ("timestamp", "service_name", "memory_usage_mb", "object_count", "allocation_count", "deallocation_count")
    entries = [
        ("2025-01-01T00:00:10", "b", 1.5, 100, 7, 3),
        (1735689600.25, "a", 2, 200, 0, 0),
        ("2025-01-01T01:00:05+01:00", "b", None, None, None, None),
    ]
    rows = [{**dict(zip(fields, entry, strict=True)), "gc_collections": 4} for entry in entries]
    path.write_text(json.dumps(rows, indent=2), encoding="utf-8")

    ledger = open_ledger(path)

    check_dtypes(ledger)
    assert ledger.services == ["a", "b"]
    samples = ledger.samples
    assert samples["service"].tolist() == ["a", "b", "b"]
    assert samples["seq"].tolist() == [0, 0, 1]
    assert samples["elapsed_s"].tolist() == [0.0, 0.0, 5.0]
    assert samples["timestamp"].tolist() == [
        pd.Timestamp("2025-01-01T00:00:00.25Z"),
        pd.Timestamp("2025-01-01T00:00:05Z"),
        pd.Timestamp("2025-01-01T00:00:10Z"),
    ]
    assert samples["traced_bytes"].fillna(-1).tolist() == [2097152, -1, 1572864]
    assert samples["allocation_count"].fillna(-1).tolist() == [0, -1, 7]
    assert samples["deallocation_count"].fillna(-1).tolist() == [0, -1, 3]
    assert samples["gc_collections"].tolist() == [4, 4, 4]
    assert samples["rss_bytes"].isna().all()
    assert samples["run_id"].str.fullmatch("json-array-[0-9a-f]{8}").all()
    assert samples["run_id"].nunique() == 2
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert open_ledger(tmp_path / "moved" / path.name).samples.equals(samples)


def test_unordered_text_comes_as_dictionaries_and_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    rows = {"service": ["b", "a", "b"], "rss_bytes": [3, 1, 2], "limit_bytes": pa.array([None] * 3, pa.int64())}
    pq.write_table(pa.table(rows), path)

    table = open_ledger(path).read_unordered("samples", columns=["service", "rss_bytes", "limit_bytes", "elapsed_s"])

    assert table.column_names == ["service", "rss_bytes"]
    assert pa.types.is_dictionary(table.schema.field("service").type)
    assert table.to_pylist() == [{"service": s, "rss_bytes": n} for s, n in [("b", 3), ("a", 1), ("b", 2)]]
