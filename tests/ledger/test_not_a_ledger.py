"""What is no ledger gives a sentence with what was needed, what was found and what to do."""

import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memanalysis.errors import (
    InvalidArgumentError,
    LedgerError,
    LedgerFormatError,
    LedgerNotFoundError,
    LedgerVersionError,
    MissingColumnError,
)
from memanalysis.ledger.reading.ledger import open_ledger


def test_nothing_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFoundError) as caught:
        open_ledger(tmp_path / "nothing")

    assert str(caught.value) == (
        f"open_ledger needs a ledger, but nothing is at {tmp_path / 'nothing'}. "
        "Check the path, or record with watch(...)."
    )


@pytest.mark.parametrize("names", [[], ["a.txt", "b.csv"]])
def test_a_folder_that_is_no_ledger_is_reported(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("x", encoding="utf-8")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"open_ledger needs a folder with ledger.json or <table>/service_key=<name>/, but {tmp_path} "
        f"holds {', '.join(names) or 'nothing'}. Name the folder that was given to watch(ledger=...)."
    )


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.parquet"])
def test_a_file_of_no_bytes_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path / name)

    assert str(caught.value) == (
        f"open_ledger needs a ledger, but {tmp_path / name} is empty (0 bytes). Restore it from a copy."
    )


@pytest.mark.parametrize("name", ["x.csv", "x", "x.pkl"])
def test_a_file_of_another_kind_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(
        LedgerFormatError, match=r"needs a folder or a \.parquet, \.jsonl, \.json file, but .* is a file of"
    ):
        open_ledger(tmp_path / name)


def test_a_named_pipe_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")

    with pytest.raises(LedgerFormatError, match="is no regular file"):
        open_ledger(tmp_path / "x.jsonl")


def test_a_truncated_parquet_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"service": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(
        LedgerFormatError, match=r"^open_ledger needs a whole Parquet file, but .*x\.parquet is none: .*Restore"
    ):
        open_ledger(path)


def test_a_parquet_file_whose_middle_is_corrupt_is_reported_when_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"service": [f"service {i}" for i in range(5000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xff" * 3900
    path.write_bytes(content)

    with pytest.raises(LedgerFormatError, match="needs a whole Parquet file"):
        _ = open_ledger(path).samples


def test_a_parquet_file_of_something_else_is_reported(tmp_path: Path) -> None:
    pq.write_table(pa.table({"price": [1]}), tmp_path / "x.parquet")

    with pytest.raises(
        LedgerFormatError, match=r"needs columns such as service, timestamp and rss_bytes, but .*\['price'\]"
    ):
        open_ledger(tmp_path / "x.parquet")


def test_a_parquet_file_of_a_newer_version_is_reported(tmp_path: Path) -> None:
    schema = pa.schema([("service", pa.string())], metadata={"memanalysis.schema_version": "2"})
    pq.write_table(schema.empty_table(), tmp_path / "x.parquet")

    with pytest.raises(
        LedgerVersionError, match="needs a memanalysis that reads ledger version 2, but this one reads up to 1"
    ):
        open_ledger(tmp_path / "x.parquet")


def test_a_file_of_lines_without_one_good_line_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(bytes(range(256)) * 4)

    with pytest.raises(LedgerFormatError, match=r"needs a JSON object a line, but .* has \d+ lines and none is one"):
        open_ledger(tmp_path / "x.jsonl")


def test_a_marker_in_place_of_its_folder_is_reported(root: Path) -> None:
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
def test_a_marker_that_is_none_is_reported(tmp_path: Path, marker: str, found: str) -> None:
    (tmp_path / "ledger.json").write_text(marker, encoding="utf-8")

    with pytest.raises(LedgerFormatError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/ledger.json needs format 'memanalysis-ledger' and a schema_version, but has {found}. "
        "Restore it, or delete it to read the folder without."
    )


def test_a_ledger_of_a_newer_version_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"format": "memanalysis-ledger", "schema_version": 2}', encoding="utf-8")

    with pytest.raises(LedgerVersionError) as caught:
        open_ledger(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/ledger.json needs a memanalysis that reads ledger version 2, "
        "but this one reads up to 1. Upgrade memanalysis."
    )


def test_a_ledger_that_goes_away_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"seq": 1}', encoding="utf-8")
    ledger = open_ledger(path)
    path.unlink()

    with pytest.raises(LedgerError, match=rf"open_ledger needs to read .* but cannot: {os.strerror(errno.ENOENT)}"):
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
