"""What one file holds takes no other file down: impossible values become null, files that fail are listed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memanalysis.errors import LedgerError, LedgerFormatError
from memanalysis.ledger.info import describe_ledger
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger

YEAR_11111 = 288_000_000_000 * 10**6
YEAR_0 = -62_200_000_000 * 10**6


def good_columns(service: str) -> dict[str, Any]:
    return {
        "service": pa.array([service] * 3),
        "run_id": pa.array(["r"] * 3),
        "seq": pa.array([0, 1, 2]),
        "timestamp": pa.array([1_735_689_600_000_000 + second * 10**6 for second in range(3)], MICROSECONDS),
        "elapsed_s": pa.array([0.0, 1.0, 2.0]),
        "rss_bytes": pa.array([1, 2, 3]),
    }


MICROSECONDS = pa.timestamp("us", tz="UTC")


def write(path: Path, columns: dict[str, Any], **keys: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns).replace_schema_metadata(keys or None)
    pq.write_table(table, path)
    return path


def not_utf8() -> pa.Array:
    return pa.array([b"bad", b"\xff\xfe", b"bad"]).view(pa.string())


IMPOSSIBLE: list[tuple[str, Any, int, str]] = [
    ("rss_bytes", pa.array([1, -2, 3]), 1, "below 0 or above any memory"),
    ("rss_bytes", pa.array([1, 2**62, -3]), 2, "below 0 or above any memory"),
    ("rss_bytes", pa.array([1.0, float("inf"), 1e300]), 2, "a number that is infinite or out of range"),
    ("rss_bytes", pa.array([1, 2**63, 3], pa.uint64()), 1, "a number that is infinite or out of range"),
    ("object_count", pa.array([1, -2, 3]), 1, "below 0 or above any memory"),
    ("elapsed_s", pa.array([0.0, float("-inf"), 1e300]), 2, "a number that is infinite or out of range"),
    ("timestamp", pa.array([0, YEAR_11111, YEAR_0], MICROSECONDS), 2, "a time outside the years 1 to 9999"),
    ("timestamp", pa.array([0, 2**52, 1], pa.timestamp("s")), 1, "a time outside the years 1 to 9999"),
    ("timestamp", pa.array([0.0, 1e18, 1.0]), 1, "a time outside the years 1 to 9999"),
    ("label", not_utf8(), 1, "text that is not UTF-8"),
    ("run_id", not_utf8(), 1, "text that is not UTF-8"),
]


@pytest.mark.parametrize("in_folder", [True, False])
@pytest.mark.parametrize(("column", "values", "count", "reason"), IMPOSSIBLE)
def test_an_impossible_value_becomes_null_and_is_counted(
    tmp_path: Path, column: str, values: pa.Array, count: int, reason: str, in_folder: bool
) -> None:
    name = "samples/service_key=a/x.parquet"
    path = write(tmp_path / name, good_columns("a") | {column: values})
    write(tmp_path / "samples/service_key=b/y.parquet", good_columns("b"))

    ledger = open_ledger(tmp_path if in_folder else path)
    samples = ledger.samples

    assert samples.loc[samples["service"] == "a", column].isna().sum() == count
    assert ledger.damage == [SkippedRows(name if in_folder else str(path), 0, reason, column, count)]
    if in_folder:
        assert samples.loc[samples["service"] == "b", "rss_bytes"].tolist() == [1, 2, 3]


def test_impossible_values_of_lines_become_null_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "live/samples/service_key=a/x.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"service":"a","seq":0,"rss_bytes":-1}\n{"service":"a","seq":1,"rss_bytes":5}\n', encoding="utf-8")

    ledger = open_ledger(tmp_path)

    assert ledger.samples["rss_bytes"].fillna(-9).tolist() == [-9, 5]
    assert ledger.damage == [
        SkippedRows("live/samples/service_key=a/x.jsonl", 0, "below 0 or above any memory", "rss_bytes", 1),
    ]


def test_a_nan_is_unknown_and_no_damage(tmp_path: Path) -> None:
    """Other tools write it for null."""
    path = write(tmp_path / "x.parquet", good_columns("a") | {"rss_bytes": pa.array([1.0, float("nan"), 2.0])})

    ledger = open_ledger(path)
    assert ledger.samples["rss_bytes"].fillna(-9).tolist() == [1, -9, 2]
    assert ledger.damage == []


def test_no_limit_as_some_systems_write_it_is_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", good_columns("a") | {"limit_bytes": pa.array([2**63 - 4096] * 3)})

    assert open_ledger(path).damage == []


def test_text_in_dictionaries_is_checked_as_well(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", good_columns("a") | {"run_id": not_utf8()})

    rows = open_ledger(path).read_unordered("samples", columns=["run_id"])

    assert rows["run_id"].to_pylist() == ["bad", None, "bad"]


def test_damage_of_one_column_stays_known_when_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", good_columns("a") | {"rss_bytes": pa.array([1, -2, 3])})
    ledger = open_ledger(path)
    assert ledger.damage_found == []

    ledger.read("samples", columns=["rss_bytes"])
    ledger.read("samples", columns=["service"])

    assert [record.column for record in ledger.damage_found] == ["rss_bytes"]


def twice(path: Path) -> None:
    columns = good_columns("a")
    write(path, columns)
    table = pa.table(columns)
    pq.write_table(table.append_column("rss_bytes", pa.array([7, 8, 9])), path)


def long_version(path: Path) -> None:
    write(path, good_columns("a"), **{"memanalysis.schema_version": "1" * 5000})


def newer(path: Path) -> None:
    write(path, good_columns("a"), **{"memanalysis.schema_version": "2"})


def words(path: Path) -> None:
    write(path, good_columns("a") | {"rss_bytes": pa.array(["many", "bytes", "here"])})


def far_too_many(path: Path) -> None:
    count = 2_000_000
    index = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()).take(pa.array([0] * count)), ["a"])
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = pa.table({"service": index, "rss_bytes": pa.repeat(pa.scalar(5), count)})
    with pq.ParquetWriter(path, rows.schema) as writer:
        for _ in range(70):
            writer.write_table(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage_it", "reason"),
    [
        (twice, "has the column 'rss_bytes' 2 times"),
        (long_version, "states a version of 5,000 digits"),
        (newer, "needs a memanalysis that reads ledger version 2"),
        (words, "needs int64 in column 'rss_bytes'"),
        (far_too_many, r"holds 140,000,000 rows, which take about 2\.1 GiB of memory, but one file may take 2\.0 GiB"),
    ],
)
def test_a_file_that_fails_is_listed_and_the_others_are_read(
    tmp_path: Path, damage_it: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "samples/service_key=a/x.parquet"
    write(path, good_columns("a"))
    damage_it(path)
    write(tmp_path / "samples/service_key=b/y.parquet", good_columns("b"))

    ledger = open_ledger(tmp_path)
    assert ledger.samples["service"].tolist() == ["b"] * 3
    (record,) = ledger.damage
    assert (record.file, record.lines_skipped) == ("samples/service_key=a/x.parquet", None)
    with pytest.raises(LedgerFormatError, match=reason):
        raise LedgerFormatError(record.reason)
    assert describe_ledger(tmp_path).damage == (record,)
    with pytest.raises(LedgerError, match=reason):
        open_ledger(path).read("samples")


def test_the_limit_of_a_file_is_the_users_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 200_000
    path = write(tmp_path / "x.parquet", {"service": pa.array(["a"] * count), "rss_bytes": pa.array([5] * count)})
    assert len(open_ledger(path).samples) == count

    monkeypatch.setenv("MEMANALYSIS_MAX_FILE_MB", "1")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(path).read("samples")
    assert str(caught.value) == (
        f"{path} holds 200,000 rows, which take about 3.1 MiB of memory, but one file may take 1.0 MiB. "
        "Split it, or set MEMANALYSIS_MAX_FILE_MB to a higher number."
    )


def test_a_corrupt_interval_in_a_footer_is_as_none(tmp_path: Path) -> None:
    write(tmp_path / "samples/service_key=a/x.parquet", good_columns("a"), **{"memanalysis.downsampled_s": "abc"})

    ledger = open_ledger(tmp_path)
    assert len(ledger.samples) == 3
    assert ledger.damage == []
