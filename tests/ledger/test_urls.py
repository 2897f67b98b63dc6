"""A ledger behind a URL reads as one on this machine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.errors import (
    InvalidArgumentError,
    LedgerNotFoundError,
)
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.ledger.writing.spool import spool_folder
from memanalysis.schema import TABLES


@pytest.fixture
def memory_url() -> Iterator[str]:
    yield "memory://test-ledger"
    if fsspec.filesystem("memory").exists("/test-ledger"):
        fsspec.filesystem("memory").rm("/test-ledger", recursive=True)


@pytest.mark.slow
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


def test_a_file_url_is_written_as_its_path(tmp_path: Path) -> None:
    writer = LedgerWriter((tmp_path / "a b").as_uri(), run=run_row())
    writer.append("samples", [sample_row(0)])
    writer.close(ended=NEW_YEAR)

    assert writer.url is None
    assert len(open_ledger(tmp_path / "a b").samples) == 1


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"MEMANALYSIS_SPOOL": "/a"}, "/a"),
        ({"XDG_STATE_HOME": "/b"}, "/b/memanalysis"),
        ({"HOME": "/tmp"}, "/tmp/.local/state/memanalysis"),  # noqa: S108 - a home that can be written
    ],
)
def test_rows_for_a_url_wait_in_one_folder_for_each(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], folder: str
) -> None:
    for name in ("MEMANALYSIS_SPOOL", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert spool_folder("s3://bucket/x").parent == Path(folder)
    assert spool_folder("s3://bucket/x") == spool_folder("s3://bucket/x/")
    assert spool_folder("s3://bucket/x") != spool_folder("s3://bucket/y")


def test_nothing_behind_a_url_is_reported(memory_url: str) -> None:
    with pytest.raises(LedgerNotFoundError):
        open_ledger(f"{memory_url}/nothing")


def test_a_protocol_that_nobody_knows_is_reported() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"needs a path, or a URL of a protocol that fsspec knows, but got 'nosuch://y'"
    ):
        open_ledger("nosuch://y")


@pytest.mark.slow
def test_a_protocol_whose_package_is_missing_names_it() -> None:
    program = """
import sys
sys.modules["s3fs"] = None  # as Python marks a module that is not to be had
from memanalysis.errors import MissingDependencyError
from memanalysis.ledger.reading.ledger import open_ledger
try:
    open_ledger("s3://bucket/x")
except MissingDependencyError as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("open_ledger needs a package for 's3://bucket/x': Install s3fs")
