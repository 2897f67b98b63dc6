"""Compacting seals what killed runs left and clears what crashes left, and leaves the living alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_rows import NEW_YEAR, RUN_ID, run_row, sample_row, write_ledger
from processes import running

from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.ledger.maintenance.compact import compact_ledger, hold_lock
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.maintenance.worker import run_job
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

WRITE_AND_WAIT = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
root, run_id, host = sys.argv[1:]
writer = LedgerWriter(root, run={"run_id": run_id, "service": "api", "started": 0.0, "host": host or None})
writer.append("samples", [{"seq": seq, "timestamp": float(seq)} for seq in range(10)])
print("ready", flush=True)
sys.stdin.read()
"""


def leave_killed_run(root: Path, run_id: str = "killed", host: str = "") -> None:
    with running(
        subprocess.Popen(
            [sys.executable, "-c", WRITE_AND_WAIT, root, run_id, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)


def shards(root: Path, suffix: str) -> list[str]:
    return sorted(path.name for path in root.rglob(f"*{suffix}"))


def test_a_killed_run_is_sealed_and_a_living_one_left_alone(tmp_path: Path) -> None:
    leave_killed_run(tmp_path)
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    before = open_ledger(tmp_path).samples

    done = compact_ledger(tmp_path)

    assert (done.sealed, done.live, done.unsealed) == (2, 2, [])
    assert shards(tmp_path, ".jsonl") == [f"{RUN_ID}.jsonl"] * 2
    assert shards(tmp_path, ".parquet") == ["killed.parquet"] * 2
    assert open_ledger(tmp_path).samples.equals(before)
    writer.append("samples", [sample_row(1)])
    assert len(open_ledger(tmp_path).samples) == len(before) + 1
    writer.close(ended=NEW_YEAR)


def test_a_dry_run_tells_the_same_and_does_nothing(tmp_path: Path) -> None:
    leave_killed_run(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    assert compact_ledger(tmp_path, dry_run=True).sealed == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_of_another_machine_must_have_rested_for_a_day(tmp_path: Path) -> None:
    leave_killed_run(tmp_path, host="elsewhere")

    assert compact_ledger(tmp_path).sealed == 0
    for path in tmp_path.rglob("*.jsonl"):
        os.utime(path, (time.time() - 90_000,) * 2)
    assert compact_ledger(tmp_path).sealed == 2


def test_a_torn_tail_is_cut_and_corrupt_lines_are_left_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_killed_run(tmp_path, "torn")
    leave_killed_run(tmp_path, "corrupt")
    torn, corrupt = (tmp_path / f"live/samples/service_key=api/{name}.jsonl" for name in ("torn", "corrupt"))
    torn.write_bytes(torn.read_bytes() + b'{"seq": 10, "time')
    corrupt.write_bytes(corrupt.read_bytes() + b"\x00\x00\x00\n")

    done = compact_ledger(tmp_path)

    assert done.unsealed == [str(corrupt)]
    assert corrupt.exists()
    assert not torn.exists()
    assert "has 1 corrupt ones (not JSON). It is left as it is." in caplog.text
    assert open_ledger(tmp_path).samples["seq"].tolist() == [*range(10)] * 2


def test_a_seal_that_a_crash_cut_before_its_last_step_is_finished(tmp_path: Path) -> None:
    leave_killed_run(tmp_path)
    lines = tmp_path / "live/samples/service_key=api/killed.jsonl"
    content = lines.read_bytes()
    compact_ledger(tmp_path)
    lines.parent.mkdir(parents=True)
    lines.write_bytes(content)

    assert compact_ledger(tmp_path).sealed == 1
    assert not lines.exists()
    assert open_ledger(tmp_path).samples["seq"].tolist() == [*range(10)]


def test_a_table_that_is_a_link_to_itself_is_named_and_the_others_are_sealed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_killed_run(tmp_path)
    (tmp_path / "samples").symlink_to("samples")

    done = compact_ledger(tmp_path)

    assert done.sealed == 1
    assert [record.getMessage().partition(" unsealed")[0] for record in caplog.records] == [
        f"memanalysis left {tmp_path}/live/samples/service_key=api/killed.jsonl"
    ]
    assert len(open_ledger(tmp_path).samples) == 10


def test_an_empty_shard_is_removed(tmp_path: Path) -> None:
    leave_killed_run(tmp_path)
    empty = tmp_path / "live/samples/service_key=api/empty.jsonl"
    empty.write_bytes(b"")

    compact_ledger(tmp_path)

    assert not empty.exists()
    assert shards(tmp_path, ".parquet") == ["killed.parquet"] * 2


def test_only_temporary_files_of_more_than_an_hour_are_cleared(tmp_path: Path) -> None:
    write_ledger(tmp_path, seal=True)
    folder = tmp_path / "live" / "samples" / "service_key=a"
    folder.mkdir(parents=True)
    old, young = folder / ".r9.parquet.0badcafe.tmp", folder / ".r9.parquet.deadbeef.tmp"
    for path in (old, young, tmp_path / ".ledger.json.0badcafe.tmp", folder / "notes.tmp"):
        path.write_bytes(b"PAR1")
    for path in (old, tmp_path / ".ledger.json.0badcafe.tmp", folder / "notes.tmp"):
        os.utime(path, (time.time() - 4000,) * 2)

    assert compact_ledger(tmp_path).temporaries == 2
    assert not old.exists()
    assert young.exists()
    assert (folder / "notes.tmp").exists()


def test_two_do_not_compact_at_once(tmp_path: Path) -> None:
    write_ledger(tmp_path, seal=True)

    with hold_lock(tmp_path), pytest.raises(LedgerError) as caught:
        compact_ledger(tmp_path)

    assert str(caught.value) == (
        f"compact needs to be alone, but ledger {tmp_path} is being compacted by another process. Wait for that."
    )
    compact_ledger(tmp_path)


def test_who_keeps_to_the_retention_at_the_end_of_a_run_leaves_it_to_another_who_is_at_it(tmp_path: Path) -> None:
    """Programs that end together would else report that their files were not sealed."""
    write_ledger(tmp_path, seal=True)
    retention = Retention(max_entries=1).to_mapping()
    job = {"root": str(tmp_path), "url": None, "retention": retention, "segments": []}

    with hold_lock(tmp_path):
        assert run_job(job) is True
    assert run_job(job) is True


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"seq": 1}), encoding="utf-8")

    with pytest.raises(InvalidArgumentError, match=r"needs a ledger that is a folder, but .*x\.jsonl is a file"):
        compact_ledger(tmp_path / "x.jsonl")
