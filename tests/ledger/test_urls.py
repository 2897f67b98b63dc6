"""A ledger behind a URL reads as one on this machine."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memanalysis.errors import (
    InvalidArgumentError,
    LedgerNotFoundError,
    MissingDependencyError,
)
from memanalysis.ledger.store import open_ledger
from memanalysis.schema import TABLES


@pytest.fixture
def memory_url() -> Iterator[str]:
    yield "memory://test-ledger"
    if fsspec.filesystem("memory").exists("/test-ledger"):
        fsspec.filesystem("memory").rm("/test-ledger", recursive=True)


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
