"""The sealed ledger is plain Hive-partitioned Parquet: DuckDB, Polars and pyarrow read it and count the same."""

import json
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from ledger_rows import run_row, sample_row

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

SERVICES = ["api", "../../x<script>", "a/b c", "\U0001f600", "100%", "NULL", "a\0b"]
ROWS = 50


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, service in enumerate(SERVICES):
        writer = LedgerWriter(tmp_path, run=run_row(service, f"r{number}"))
        writer.append("samples", [sample_row(seq, label=None if seq % 2 else "even") for seq in range(ROWS)])
        writer.append("sites", [{"seq": 0, "timestamp": 1735689600.5, "traceback": [["a.py", 1], ["b.py", number]]}])
        writer.close(ended=1735689700.0)
    return tmp_path


@pytest.fixture
def totals(root: Path) -> dict[str, tuple[int, int]]:
    samples = open_ledger(root).samples
    grouped = samples.groupby("service")["rss_bytes"].agg(["count", "sum"])
    assert sorted(grouped.index) == sorted(SERVICES)
    return {str(service): (int(row["count"]), int(row["sum"])) for service, row in grouped.iterrows()}


@pytest.mark.slow
@pytest.mark.parametrize("hive", [True, False])
def test_duckdb_reads_the_same_numbers(root: Path, totals: dict[str, tuple[int, int]], hive: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        relation = connection.read_parquet(f"{root}/samples/*/*.parquet", hive_partitioning=hive)
        found = relation.aggregate(
            "service, count(*), sum(rss_bytes), min(timestamp)::varchar, count(label)"
        ).fetchall()

    null = "NULL"  # older releases read the folder of a service of that name as null, newer ones do not
    assert {
        null if service is None else service: (count, int(total)) for service, count, total, _, _ in found
    } == totals
    assert {first for *_, first, _ in found} == {"2025-01-01 00:00:00+00"}
    assert {labels for *_, labels in found} == {ROWS // 2}


def test_duckdb_reads_json_columns_as_json_text(root: Path) -> None:
    with duckdb.connect() as connection:
        sites = connection.read_parquet(f"{root}/sites/*/*.parquet").aggregate("traceback").fetchall()

    assert sorted(json.loads(text)[1][1] for (text,) in sites) == list(range(len(SERVICES)))


@pytest.mark.parametrize("hive", [True, False])
def test_polars_reads_the_same_numbers(root: Path, totals: dict[str, tuple[int, int]], hive: bool) -> None:
    samples = pl.read_parquet(f"{root}/samples/*/*.parquet", hive_partitioning=hive)
    found = samples.group_by("service").agg(pl.len().alias("n"), pl.col("rss_bytes").sum())

    assert {row["service"]: (row["n"], row["rss_bytes"]) for row in found.to_dicts()} == totals
    assert samples.schema["timestamp"] == pl.Datetime("us", "UTC")
    assert samples["pss_bytes"].null_count() == len(samples)


@pytest.mark.parametrize("hive", [True, False])
def test_pyarrow_reads_the_same_numbers(root: Path, totals: dict[str, tuple[int, int]], hive: bool) -> None:
    partitioning = ds.partitioning(pa.schema([("service", pa.string())]), flavor="hive") if hive else None
    table = ds.dataset(root / "samples", format="parquet", partitioning=partitioning).to_table()
    found = table.group_by("service").aggregate([("rss_bytes", "count"), ("rss_bytes", "sum")]).to_pylist()

    assert {row["service"]: (row["rss_bytes_count"], row["rss_bytes_sum"]) for row in found} == totals


def test_duckdb_reads_a_live_shard_too(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(seq) for seq in range(ROWS)])

    with duckdb.connect() as connection:
        lines = connection.read_json(f"{tmp_path}/live/samples/*/*.jsonl", format="newline_delimited")
        assert lines.aggregate("count(*), sum(rss_bytes)").fetchall() == [(ROWS, 1024 * sum(range(ROWS)))]
