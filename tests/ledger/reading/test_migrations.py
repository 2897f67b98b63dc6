"""Rows of an older version pass through small steps; those of a newer one are refused, or passed over and reported."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row, write_ledger

from memanalysis import schema
from memanalysis.errors import LedgerVersionError
from memanalysis.ledger import marker
from memanalysis.ledger.reading import migrations
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter


def kilobytes_to_bytes(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A step as a later version may bring it: this one takes the present tables for one that counted kilobytes."""
    if table == "samples" and row.get("rss_bytes") is not None:
        return {**row, "rss_bytes": row["rss_bytes"] * 1000}
    return row


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this memanalysis one of version 2."""
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(marker, "SCHEMA_VERSION", 2)
    monkeypatch.setitem(migrations.MIGRATIONS, 1, kilobytes_to_bytes)


@pytest.mark.slow
@pytest.mark.parametrize("seal", [True, False])
def test_a_folder_of_an_older_version_is_read_through_its_step(
    tmp_path: Path, request: pytest.FixtureRequest, seal: bool
) -> None:
    write_ledger(tmp_path, seal=seal)
    request.getfixturevalue("later")

    ledger = open_ledger(tmp_path)

    assert ledger.samples["rss_bytes"].tolist() == [0, 1_024_000, 2_048_000] * 3
    assert ledger.runs["schema_version"].tolist() == [2, 2, 2]
    assert ledger.sites["traceback"].tolist() == [[["m.py", 1], ["a.py", 3]]] * 3
    assert ledger.damage == []


def test_files_of_an_older_version_are_read_through_its_step(tmp_path: Path, later: None) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"service": "a", "rss_bytes": 5}) + "\n", encoding="utf-8")
    pq.write_table(pa.table({"service": ["a"], "rss_bytes": [5]}), tmp_path / "x.parquet")

    for name in ("x.jsonl", "x.parquet"):
        assert open_ledger(tmp_path / name).samples["rss_bytes"].tolist() == [5000]


def test_lines_of_the_present_version_pass_no_step(tmp_path: Path, later: None) -> None:
    row = {"service": "a", "rss_bytes": 5, "schema_version": 2}
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")

    assert open_ledger(tmp_path / "x.jsonl").samples["rss_bytes"].tolist() == [5]


def test_a_file_of_lines_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"service": "a", "schema_version": 7}\n', encoding="utf-8")

    with pytest.raises(LedgerVersionError) as caught:
        open_ledger(tmp_path / "x.jsonl")

    assert str(caught.value) == (
        f"{tmp_path / 'x.jsonl'} needs a memanalysis that reads ledger version 7, "
        "but this one reads up to 1. Upgrade memanalysis."
    )


def test_a_newer_row_among_others_is_passed_over_and_reported(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    (shard,) = (tmp_path / "live" / "samples").rglob("*.jsonl")
    with shard.open("ab") as stream:
        stream.write(b'{"seq": 1, "schema_version": 2}\n')

    ledger = open_ledger(tmp_path)

    assert ledger.samples["seq"].tolist() == [0]
    assert ledger.damage == [SkippedRows(shard.relative_to(tmp_path).as_posix(), 1, "a row of a newer version")]
    writer.close(ended=NEW_YEAR, seal=False)


def test_every_version_before_the_present_has_a_step() -> None:
    assert sorted(migrations.MIGRATIONS) == list(range(migrations.FIRST_VERSION, schema.SCHEMA_VERSION))
