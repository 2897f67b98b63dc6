"""What is corrupt in a folder is left out and listed, and never hides the rest."""

import logging
import os
import shutil
from pathlib import Path

import pytest
from ledger_rows import RUN_ID, run_row, sample_row

from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter


def make_folder(root: Path, folder: str) -> Path:
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_corrupt_lines_are_counted_and_logged_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_folder(root, "live/samples/service_key=a")
    (folder / "corrupt.jsonl").write_bytes(b'{"service":"a","seq":1}\nnonsense\n\x00\x00\n[1]\n{"service":"a","se')
    ledger = open_ledger(root)

    with caplog.at_level(logging.WARNING, logger="memanalysis"):
        assert len(ledger.samples) == 10
        assert len(ledger.samples) == 10

    name = "live/samples/service_key=a/corrupt.jsonl"
    assert ledger.damage == [
        SkippedRows(name, 2, "not JSON"),
        SkippedRows(name, 1, "not a row of its table"),
        SkippedRows(name, 1, "torn last line"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"memanalysis left out 4 lines, 0 values and 0 whole files or folders of ledger {root}; "
        "Ledger.damage lists them with the reasons"
    ]


def test_damage_is_reported_also_of_tables_that_were_not_asked_for(root: Path) -> None:
    (make_folder(root, "live/events/service_key=b") / "x.jsonl").write_bytes(b"nonsense\n")

    assert open_ledger(root).damage == [SkippedRows("live/events/service_key=b/x.jsonl", 1, "not JSON")]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"nonsense" * 100])
def test_a_parquet_shard_that_cannot_be_read_does_not_hide_the_others(root: Path, content: bytes) -> None:
    (make_folder(root, "samples/service_key=a") / "broken.parquet").write_bytes(content)

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    (damage,) = ledger.damage
    assert (damage.file, damage.lines_skipped) == ("samples/service_key=a/broken.parquet", None)
    assert damage.reason.startswith("open_ledger needs a whole Parquet file, but ")


def test_lines_beside_a_broken_parquet_of_theirs_are_read(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    (make_folder(tmp_path, "samples/service_key=api") / f"{RUN_ID}.parquet").write_bytes(
        b"PAR1 and then the disk broke"
    )

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0]


def test_an_empty_shard_is_no_damage(root: Path) -> None:
    """A process killed between making its file and writing to it."""
    (make_folder(root, "live/samples/service_key=a") / "new.jsonl").write_bytes(b"")

    assert open_ledger(root).damage == []


def test_hidden_and_temporary_files_are_passed_over(root: Path) -> None:
    for name in (".x.parquet.tmp", "_SUCCESS", ".x.jsonl", "notes.txt"):
        for folder in ("samples/service_key=a", "live/samples/service_key=a"):
            (make_folder(root, folder) / name).write_bytes(b"nonsense")

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    assert ledger.damage == []


def test_links_below_the_ledger_are_not_followed_and_reported(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(root, outside)
    secret = next(outside.rglob("samples/service_key=a/*"))
    folder = secret.parent.relative_to(outside).as_posix()
    table = make_folder(root, "samples")
    (root / folder / f"link{secret.suffix}").symlink_to(secret)
    (table / "service_key=z").symlink_to(secret.parent)
    for events in root.rglob("events"):
        shutil.rmtree(events)
    (root / "events").symlink_to(next(outside.rglob("events")))

    ledger = open_ledger(root)
    assert len(ledger.samples) == 9
    assert ledger.events.empty
    assert ledger.services == ["a", "b"]
    assert {(damage.file, damage.reason) for damage in ledger.damage} == {
        ("events", "a link, which is not followed"),
        (f"{folder}/link{secret.suffix}", "a link, which is not followed"),
        ("samples/service_key=z", "a link, which is not followed"),
    }


def test_the_ledger_itself_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)

    assert len(open_ledger(tmp_path / "link").samples) == 9


def test_a_named_pipe_in_a_ledger_does_not_hold_the_reader(root: Path) -> None:
    os.mkfifo(make_folder(root, "live/samples/service_key=a") / "pipe.jsonl")

    assert len(open_ledger(root).samples) == 9
