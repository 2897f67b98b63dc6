"""What a ledger cannot write is refused or kept: full disks, bounds in memory, odd folders and links."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_rows import RUN_ID, files_in, run_row, sample_row

from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError, LedgerVersionError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing import segment_rotation as shards
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

SAMPLES = f"samples/service_key=api/{RUN_ID}"


@pytest.mark.slow
def test_a_disk_that_refuses_loses_no_row_and_leaves_no_half_line(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk; the write that meets it is cut within a line."""
    program = f"""
import resource
from memanalysis.errors import LedgerError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
w = LedgerWriter({str(tmp_path)!r}, run={run_row()!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
refused = 0
for seq in range(100):
    try:
        w.append("samples", [{{"seq": seq}}])
    except LedgerError as exc:
        refused += 1
        text = str(exc)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
w.flush()
print(refused, w.dropped_rows, text)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    refused, dropped, text = result.stdout.split(" ", 2)
    assert int(refused) > 50
    assert dropped == "0"
    assert "but the system refused: File too large. The rows stay in memory; free some space" in text
    ledger = open_ledger(tmp_path)
    assert ledger.samples["seq"].tolist() == list(range(100))
    assert ledger.damage == []


@pytest.mark.parametrize("flush", ["line", "manual"])
def test_what_a_refusing_disk_leaves_in_memory_is_bounded_and_counted(tmp_path: Path, flush: str) -> None:
    program = f"""
import resource
from contextlib import suppress
from memanalysis.errors import LedgerError
from memanalysis.ledger.writing import segment_rotation as shards
from memanalysis.ledger.writing import ledger_writer as writer
shards.MAX_PENDING_BYTES = 1000
w = writer.LedgerWriter({str(tmp_path)!r}, run={run_row()!r}, flush={flush!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for seq in range(100):
    with suppress(LedgerError):
        w.append("samples", [{{"seq": seq}}])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
w.flush()
print(w.dropped_rows)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    kept = open_ledger(tmp_path).samples["seq"].tolist()
    assert kept == list(range(int(result.stdout), 100))
    assert 5 < len(kept) < 20


def test_manual_flush_holds_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it rows go out by themselves: they are never dropped while the disk takes them."""
    monkeypatch.setattr(shards, "MAX_PENDING_BYTES", 1000)
    writer = LedgerWriter(tmp_path, run=run_row(), flush="manual")
    for seq in range(100):
        writer.append("samples", [{"seq": seq}])
    assert 80 < len(open_ledger(tmp_path).samples) < 100

    writer.flush()

    assert open_ledger(tmp_path).samples["seq"].tolist() == list(range(100))
    assert writer.dropped_rows == 0


def test_a_shard_with_corrupt_lines_is_not_sealed_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    with (tmp_path / f"live/{SAMPLES}.jsonl").open("ab") as stream:
        stream.write(b"corrupt by somebody else\n")
    writer.append("samples", [sample_row(1)])

    with caplog.at_level(logging.WARNING, logger="memanalysis"):
        writer.close(ended=1735689700.0)

    assert "has 1 corrupt ones (not JSON). It is left as it is." in caplog.text
    assert files_in(tmp_path / "live" / "samples") == {f"service_key=api/{RUN_ID}.jsonl"}
    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]


def test_a_ledger_of_a_newer_version_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"format": "memanalysis-ledger", "schema_version": 99}', encoding="utf-8")

    with pytest.raises(LedgerVersionError) as caught:
        LedgerWriter(tmp_path, run=run_row())

    assert str(caught.value) == (
        f"{tmp_path / 'ledger.json'} needs a memanalysis that reads ledger version 99, "
        "but this one reads up to 1. Upgrade memanalysis."
    )


def test_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")

    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(LedgerFormatError) as caught:
            LedgerWriter(path, run=run_row())
        assert str(caught.value) == (
            f"LedgerWriter needs a folder, but {path} is or lies under a file. Give another path."
        )


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that refuses everybody")  # noqa: PTH112
def test_a_folder_that_nobody_may_write_is_reported() -> None:
    with pytest.raises(LedgerError, match="needs a folder that can be written, but /proc/ledger cannot: "):
        LedgerWriter("/proc/ledger", run=run_row())


def test_a_link_that_leads_out_of_the_ledger_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    writer = LedgerWriter(tmp_path / "ledger", run=run_row())
    (tmp_path / "ledger" / "live" / "samples").symlink_to(outside)

    with pytest.raises(LedgerError, match="is a link that leads out of it"):
        writer.append("samples", [sample_row(0)])

    assert not list(outside.iterdir())


def test_nothing_is_sealed_through_a_link_that_leads_out_of_the_ledger(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    writer = LedgerWriter(tmp_path / "ledger", run=run_row())
    (tmp_path / "ledger" / "samples").symlink_to(outside)
    writer.append("samples", [sample_row(0)])
    writer.close()

    assert not list(outside.iterdir())
    assert f"live/{SAMPLES}.jsonl" in files_in(tmp_path / "ledger")


def test_a_ledger_whose_runs_have_all_ended_has_no_folder_of_live_files(tmp_path: Path) -> None:
    first, second = (LedgerWriter(tmp_path, run=run_row(service)) for service in ("api", "web"))
    for writer in (first, second):
        writer.append("samples", [sample_row(0)])
    first.close()

    assert {path.name for path in tmp_path.glob("live/*/*")} == {"service_key=web"}
    second.close()

    assert {path.name for path in tmp_path.iterdir()} == {"ledger.json", "runs", "samples"}


@pytest.mark.parametrize(
    "run", [{"service": "api"}, {"run_id": "../x", "service": "api"}, {"run_id": "a", "service": ""}]
)
def test_a_run_without_a_fit_name_is_refused_before_anything_is_made(tmp_path: Path, run: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError):
        LedgerWriter(tmp_path / "ledger", run=run)

    assert not (tmp_path / "ledger").exists()
