"""Any shape of ledger opens as five frames with the schema's dtypes, and what is no ledger says so in a sentence."""

import datetime as dt
import importlib.util
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import RUN_ID, run_row, sample_row

from memanalysis.errors import (
    InvalidArgumentError,
    LedgerError,
    LedgerFormatError,
    LedgerNotFoundError,
    LedgerVersionError,
    MissingColumnError,
    MissingDependencyError,
)
from memanalysis.ledger.sources import Damage
from memanalysis.ledger.store import Ledger, open_ledger
from memanalysis.ledger.writer import LedgerWriter
from memanalysis.schema import TABLES

DTYPES = {
    "string": "string",
    "int64": "Int64",
    "float64": "float64",
    "timestamp": "datetime64[us, UTC]",
    "json": "object",
}
NEW_YEAR = 1735689600.0  # 2025-01-01T00:00:00Z


def check_dtypes(ledger: Ledger) -> None:
    for table, columns in TABLES.items():
        frame = getattr(ledger, table)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            name: DTYPES[kind] for name, kind in columns.items()
        }


def write_ledger(root: Path, *, seal: bool) -> None:
    """Two services: ``b`` with a run, and ``a`` with two that lie ten minutes apart."""
    for service, run_id, begin in (("b", "r1", 0), ("a", "r3", 600), ("a", "r2", 0)):
        writer = LedgerWriter(root, run=run_row(service, run_id, started=NEW_YEAR + begin))
        for seq in range(3):
            writer.append("samples", [sample_row(seq, timestamp=NEW_YEAR + begin + seq)])
        writer.append(
            "sites",
            [
                {
                    "seq": 2,
                    "timestamp": NEW_YEAR + begin,
                    "file": "a.py",
                    "line": 3,
                    "traceback": [["m.py", 1], ["a.py", 3]],
                }
            ],
        )
        writer.append("events", [{"timestamp": NEW_YEAR + begin, "kind": "mark", "data": {"note": "<b>"}}])
        writer.append("objects", [{"seq": 2, "timestamp": NEW_YEAR + begin, "type": "dict", "count": 7}])
        writer.close(ended=NEW_YEAR + begin + 60, seal=seal)


@pytest.fixture(params=["sealed", "live"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "ledger"
    write_ledger(path, seal=request.param == "sealed")
    return path


@pytest.fixture
def memory_url() -> Iterator[str]:
    yield "memory://test-ledger"
    if fsspec.filesystem("memory").exists("/test-ledger"):
        fsspec.filesystem("memory").rm("/test-ledger", recursive=True)


# ---- a folder


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


def test_a_ledger_that_grows_is_read_anew_each_time(tmp_path: Path) -> None:
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
    """pandas and Spark leave the partition's column out of the files."""
    frame = pd.DataFrame({"service": ["a/b", "c"], "timestamp": [1.0, 2.0], "rss_bytes": [10, 20]})
    frame.to_parquet(tmp_path / "samples", partition_cols=["service"])

    samples = open_ledger(tmp_path).samples
    assert samples["service"].tolist() == ["a/b", "c"]
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


# ---- what is spoilt in a folder


def test_spoilt_lines_are_counted_and_told_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = root / "samples" / "service=a"
    (folder / "spoilt.jsonl").write_bytes(b'{"service":"a","seq":1}\nnonsense\n\x00\x00\n[1]\n{"service":"a","se')
    ledger = open_ledger(root)

    with caplog.at_level(logging.WARNING, logger="memanalysis"):
        assert len(ledger.samples) == 10
        assert len(ledger.samples) == 10

    name = "samples/service=a/spoilt.jsonl"
    assert ledger.damage == [
        Damage(name, 2, "not JSON"),
        Damage(name, 1, "not a row of its table"),
        Damage(name, 1, "torn last line"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"memanalysis passed over 4 spoilt lines in 1 files of ledger {root}; Ledger.damage tells which and why"
    ]


def test_damage_is_told_also_of_tables_that_were_not_asked_for(root: Path) -> None:
    (root / "events" / "service=b" / "x.jsonl").write_bytes(b"nonsense\n")

    assert open_ledger(root).damage == [Damage("events/service=b/x.jsonl", 1, "not JSON")]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"nonsense" * 100])
def test_a_parquet_shard_that_cannot_be_read_does_not_hide_the_others(root: Path, content: bytes) -> None:
    (root / "samples" / "service=a" / "broken.parquet").write_bytes(content)

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    (damage,) = ledger.damage
    assert (damage.file, damage.lines_skipped) == ("samples/service=a/broken.parquet", None)
    assert damage.reason.startswith("open_ledger needs a whole Parquet file, but ")


def test_lines_beside_a_broken_parquet_of_theirs_are_read(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    (tmp_path / f"samples/service=api/{RUN_ID}.parquet").write_bytes(b"PAR1 and then the disk broke")

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0]


def test_an_empty_shard_is_no_damage(root: Path) -> None:
    """A process killed between making its file and writing to it."""
    (root / "samples" / "service=a" / "new.jsonl").write_bytes(b"")

    assert open_ledger(root).damage == []


def test_hidden_and_temporary_files_are_passed_over(root: Path) -> None:
    for name in (".x.parquet.tmp", "_SUCCESS", ".x.jsonl", "notes.txt"):
        (root / "samples" / "service=a" / name).write_bytes(b"nonsense")

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    assert ledger.damage == []


def test_links_below_the_ledger_are_not_followed_and_told(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(root, outside)
    secret = next((outside / "samples" / "service=a").iterdir())
    (root / "samples" / "service=a" / f"link{secret.suffix}").symlink_to(secret)
    (root / "samples" / "service=z").symlink_to(outside / "samples" / "service=a")
    shutil.rmtree(root / "events")
    (root / "events").symlink_to(outside / "events")

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    assert ledger.events.empty
    assert ledger.services == ["a", "b"]
    assert {(damage.file, damage.reason) for damage in ledger.damage} == {
        ("events", "a link, which is not followed"),
        (f"samples/service=a/link{secret.suffix}", "a link, which is not followed"),
        ("samples/service=z", "a link, which is not followed"),
    }


def test_the_ledger_itself_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)

    assert len(open_ledger(tmp_path / "link").samples) == 9


def test_a_named_pipe_in_a_ledger_does_not_hold_the_reader(root: Path) -> None:
    os.mkfifo(root / "samples" / "service=a" / "pipe.jsonl")

    assert len(open_ledger(root).samples) == 9


# ---- one file


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
        Damage(str(path), 1, "of no table that is known"),
        Damage(str(path), 1, "torn last line"),
    ]


def test_a_founding_file_opens_as_samples(tmp_path: Path) -> None:
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
    assert samples["run_id"].str.fullmatch("founding-[0-9a-f]{8}").all()
    assert samples["run_id"].nunique() == 2
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert open_ledger(tmp_path / "moved" / path.name).samples.equals(samples)


# ---- URLs


def test_a_folder_behind_a_url_reads_as_on_this_machine(root: Path, memory_url: str) -> None:
    fsspec.filesystem("memory").put(str(root), "/test-ledger", recursive=True)

    remote, local = open_ledger(memory_url), open_ledger(root)

    assert remote.path == memory_url
    assert remote.services == local.services
    for table in TABLES:
        assert getattr(remote, table).equals(getattr(local, table))
    assert remote.damage == []


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_a_file_behind_a_url_opens(tmp_path: Path, memory_url: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({"service": ["a"]}), path)
    else:
        row = {"service": "a", "service_name": "a", "timestamp": 1}
        path.write_text(json.dumps([row] if suffix == ".json" else row), encoding="utf-8")
    fsspec.filesystem("memory").put(str(path), f"/test-ledger/x{suffix}")

    assert open_ledger(f"{memory_url}/x{suffix}").services == ["a"]


def test_a_file_url_is_this_machine(root: Path) -> None:
    assert open_ledger(root.as_uri()).services == ["a", "b"]


def test_nothing_behind_a_url_is_told(memory_url: str) -> None:
    with pytest.raises(LedgerNotFoundError):
        open_ledger(f"{memory_url}/nothing")


def test_a_protocol_that_nobody_knows_is_told() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"needs a path, or a URL of a protocol that fsspec knows, but got 'nosuch://y'"
    ):
        open_ledger("nosuch://y")


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_protocol_whose_package_is_missing_names_it() -> None:
    with pytest.raises(MissingDependencyError, match=r"open_ledger needs a package for 's3://bucket/x': .*s3fs"):
        open_ledger("s3://bucket/x")


# ---- what is no ledger


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFoundError) as caught:
        open_ledger(tmp_path / "nothing")

    assert str(caught.value) == (
        f"open_ledger needs a ledger, but nothing is at {tmp_path / 'nothing'}. "
        "Check the path, or record with watch(...)."
    )


@pytest.mark.parametrize("names", [[], ["a.txt", "b.csv"]])
def test_a_folder_that_is_no_ledger_is_told(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("x", encoding="utf-8")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"open_ledger needs a folder with ledger.json or <table>/service=<name>/, but {tmp_path} "
        f"holds {', '.join(names) or 'nothing'}. Name the folder that was given to watch(ledger=...)."
    )


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.parquet"])
def test_a_file_of_no_bytes_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path / name)

    assert str(caught.value) == (
        f"open_ledger needs a ledger, but {tmp_path / name} is empty (0 bytes). Restore it from a copy."
    )


@pytest.mark.parametrize("name", ["x.csv", "x", "x.pkl"])
def test_a_file_of_another_kind_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(
        LedgerFormatError, match=r"needs a folder or a \.parquet, \.jsonl, \.json file, but .* is a file of"
    ):
        open_ledger(tmp_path / name)


def test_a_named_pipe_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")

    with pytest.raises(LedgerFormatError, match="is no regular file"):
        open_ledger(tmp_path / "x.jsonl")


def test_a_truncated_parquet_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"service": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(
        LedgerFormatError, match=r"^open_ledger needs a whole Parquet file, but .*x\.parquet is none: .*Restore"
    ):
        open_ledger(path)


def test_a_parquet_file_whose_middle_is_spoilt_is_told_when_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"service": [f"service {i}" for i in range(5000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xff" * 3900
    path.write_bytes(content)

    with pytest.raises(LedgerFormatError, match="needs a whole Parquet file"):
        _ = open_ledger(path).samples


def test_a_parquet_file_of_something_else_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"price": [1]}), tmp_path / "x.parquet")

    with pytest.raises(
        LedgerFormatError, match=r"needs columns such as service, timestamp and rss_bytes, but .*\['price'\]"
    ):
        open_ledger(tmp_path / "x.parquet")


def test_a_parquet_file_of_a_newer_version_is_told(tmp_path: Path) -> None:
    schema = pa.schema([("service", pa.string())], metadata={"memanalysis.schema_version": "2"})
    pq.write_table(schema.empty_table(), tmp_path / "x.parquet")

    with pytest.raises(
        LedgerVersionError, match="needs a memanalysis that reads ledger version 2, but this one reads up to 1"
    ):
        open_ledger(tmp_path / "x.parquet")


def test_a_file_of_lines_without_one_good_line_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(bytes(range(256)) * 4)

    with pytest.raises(LedgerFormatError, match=r"needs a JSON object a line, but .* has \d+ lines and none is one"):
        open_ledger(tmp_path / "x.jsonl")


def test_a_marker_in_place_of_its_folder_is_told(root: Path) -> None:
    with pytest.raises(LedgerFormatError, match=r"but .*ledger\.json has an object\. Open its folder instead\."):
        open_ledger(root / "ledger.json")


@pytest.mark.parametrize(
    ("marker", "found"),
    [
        ("nonsense", "text that is not JSON"),
        ("[]", "'list'"),
        ('{"format": "something"}', "'something'"),
        ('{"format": "memanalysis-ledger"}', "schema_version None"),
        ('{"format": "memanalysis-ledger", "schema_version": "1"}', "schema_version '1'"),
    ],
)
def test_a_marker_that_is_none_is_told(tmp_path: Path, marker: str, found: str) -> None:
    (tmp_path / "ledger.json").write_text(marker, encoding="utf-8")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/ledger.json needs format 'memanalysis-ledger' and a schema_version, but has {found}. "
        "Restore it, or delete it to read the folder without."
    )


def test_a_ledger_of_a_newer_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"format": "memanalysis-ledger", "schema_version": 2}', encoding="utf-8")

    with pytest.raises(LedgerVersionError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/ledger.json needs a memanalysis that reads ledger version 2, "
        "but this one reads up to 1. Upgrade memanalysis."
    )


def test_a_ledger_that_goes_away_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"seq": 1}', encoding="utf-8")
    ledger = open_ledger(path)
    path.unlink()

    with pytest.raises(LedgerError, match=r"open_ledger needs to read .* but cannot: No such file or directory"):
        _ = ledger.samples


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"table": "snapshots"}, InvalidArgumentError, "needs a table of"),
        ({"table": "samples", "columns": ["rss"]}, MissingColumnError, "needs columns of 'samples'"),
        ({"table": "samples", "columns": "seq"}, MissingColumnError, "but got 'seq'"),
        ({"table": "samples", "services": "a"}, InvalidArgumentError, r"Pass \['a'\]"),
        ({"table": "samples", "since": "yesterday"}, InvalidArgumentError, "needs since as epoch seconds"),
        ({"table": "samples", "until": float("nan")}, InvalidArgumentError, "needs a finite until"),
    ],
)
def test_a_read_of_what_there_is_not_is_refused(
    root: Path, arguments: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        open_ledger(root).read(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgumentError, match="open_ledger needs a path or URL"):
        open_ledger(path)
