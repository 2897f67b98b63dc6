"""A ledger that is removed, moved or replaced while it is written is begun again, and nothing written after is lost."""

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledger_rows import NEW_YEAR, RUN_ID, run_row, sample_row

from memanalysis.errors import LedgerError
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.ledger.writing.segment_rotation import lock_file

ROOT = Path(__file__).parents[2]


def site(seq: int) -> dict[str, object]:
    described = {"file": "a.py", "line": 3, "function": "f", "traceback": [["m.py", 1], ["a.py", 3]]}
    return {"seq": seq, "timestamp": NEW_YEAR + seq, "site_id": "a", "size_bytes": 100 + seq, **described}


@pytest.mark.slow
def test_a_removed_ledger_is_begun_again_with_its_run_and_marker(tmp_path: Path) -> None:
    reported: list[str] = []
    root = tmp_path / "ledger"
    writer = LedgerWriter(root, run=run_row(argv=["app.py"]), report=reported.append)
    writer.append("samples", [sample_row(0)])
    writer.append("sites", [site(0)])
    shutil.rmtree(root)

    writer.append("sites", [site(1)])
    writer.append("samples", [sample_row(1)])
    writer.append("samples", [sample_row(2)])

    ledger = open_ledger(root)
    assert ledger.samples["seq"].tolist() == [1, 2]
    assert ledger.sites["traceback"].tolist() == [[["m.py", 1], ["a.py", 3]]]
    assert ledger.runs["run_id"].tolist() == [RUN_ID]
    assert ledger.runs["argv"].tolist() == [["app.py"]]
    assert ledger.events["kind"].tolist() == ["error"]
    assert json.loads((root / "ledger.json").read_bytes())["format"] == "memanalysis-ledger"
    assert len(reported) == 1
    assert reported[0].startswith(f"Files of ledger {root} were removed while it was written (")
    writer.close(ended=NEW_YEAR)
    assert open_ledger(root).samples["seq"].tolist() == [1, 2]
    assert not list(root.rglob("*.jsonl"))


def test_a_ledger_that_is_moved_away_keeps_what_it_has_and_a_new_one_begins(tmp_path: Path) -> None:
    root, trash = tmp_path / "ledger", tmp_path / "trash"
    writer = LedgerWriter(root, run=run_row())
    writer.append("samples", [sample_row(0)])
    root.rename(trash)

    for seq in (1, 2, 3):
        writer.append("samples", [sample_row(seq)])
    writer.close(ended=NEW_YEAR)

    rows = [*open_ledger(trash).samples["seq"], *open_ledger(root).samples["seq"]]
    assert rows == [0, 1, 2, 3]
    assert len(open_ledger(root).samples) >= 2
    assert open_ledger(root).runs["run_id"].tolist() == [RUN_ID]


def test_where_it_cannot_be_begun_again_rows_wait_until_it_can(tmp_path: Path) -> None:
    root = tmp_path / "ledger"
    writer = LedgerWriter(root, run=run_row())
    writer.append("samples", [sample_row(0)])
    shutil.rmtree(root)
    root.write_text("a file in the way", encoding="utf-8")
    for seq in (1, 2):
        with pytest.raises(LedgerError):
            writer.append("samples", [sample_row(seq)])

    root.unlink()
    writer.append("samples", [sample_row(3)])
    writer.close(ended=NEW_YEAR)

    ledger = open_ledger(root)
    assert ledger.samples["seq"].tolist() == [1, 2, 3]
    assert len(ledger.runs) == 1
    assert "error" in ledger.events["kind"].tolist()


@pytest.mark.slow
def test_a_ledger_removed_again_and_again_has_every_row_that_was_written_after_the_last_time(tmp_path: Path) -> None:
    """Another thread removes it at any moment, also between a check and a write."""
    root = tmp_path / "ledger"
    writer = LedgerWriter(root, run=run_row())
    end = threading.Event()
    n_removed = 0

    def remove() -> None:
        nonlocal n_removed
        while not end.is_set():
            shutil.rmtree(root, ignore_errors=True)
            n_removed += 1

    thread = threading.Thread(target=remove)
    thread.start()
    for seq in range(2_000):
        try:
            writer.append("samples", [sample_row(seq)])
        except LedgerError:  # the folder went while a file was made in it: the row waits
            continue
    end.set()
    thread.join()
    assert n_removed > 5
    for seq in range(2_000, 2_010):
        writer.append("samples", [sample_row(seq)])
    writer.close(ended=NEW_YEAR)

    rows = open_ledger(root).samples["seq"].tolist()
    assert rows[-10:] == list(range(2_000, 2_010))
    assert rows == list(range(rows[0], 2_010))
    assert len(open_ledger(root).runs) == 1


@pytest.mark.slow
def test_a_recorder_counts_the_removal_and_keeps_a_late_mark(tmp_path: Path) -> None:
    program = """
import shutil, time
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.02, trace="off")
recorder.start()
deadline = time.monotonic() + 60
while recorder.status().ticks < 3 and time.monotonic() < deadline:
    time.sleep(0.01)
shutil.rmtree("ledger", ignore_errors=True)
print(recorder.mark("late"))
recorder.stop()
print(recorder.status().errors > 0, recorder.status().last_error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    marked, counted = done.stdout.splitlines()
    assert marked == "True"
    assert counted.startswith(f"True Files of ledger {tmp_path / 'ledger'} were removed")
    assert "were removed while it was written" in done.stderr
    ledger = open_ledger(tmp_path / "ledger")
    assert {"late"} <= set(ledger.events["message"])
    assert len(ledger.runs) == 1
    assert ledger.runs["ended"].notna().all()
    assert (tmp_path / "ledger" / "ledger.json").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="programs there close what they opened")
def test_a_file_whose_descriptor_went_is_locked_and_written_again(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    for shard in writer._shards.values():
        assert shard._descriptor is not None
        os.close(shard._descriptor.number)

    writer.append("samples", [sample_row(1)])

    (path,) = (tmp_path / "live" / "samples").rglob("*.jsonl")
    other = os.open(path, os.O_RDONLY)
    assert lock_file(other) is False
    os.close(other)
    assert compact_ledger(tmp_path).sealed == 0
    assert open_ledger(tmp_path).events["kind"].tolist() == ["descriptor"]
    writer.close(ended=NEW_YEAR)
    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]


@pytest.mark.skipif(sys.platform == "win32", reason="programs there close what they opened")
def test_a_file_that_was_sealed_after_its_descriptor_went_is_not_written_again(tmp_path: Path) -> None:
    """Without the lock the run looks killed to whoever compacts."""
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    writer.append("sites", [site(0)])
    for shard in writer._shards.values():
        assert shard._descriptor is not None
        os.close(shard._descriptor.number)
    assert compact_ledger(tmp_path).sealed == 3

    writer.append("sites", [site(1)])
    writer.append("samples", [sample_row(1)])

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]
    assert open_ledger(tmp_path).sites["traceback"].tolist() == [[["m.py", 1], ["a.py", 3]]] * 2
    writer.close(ended=NEW_YEAR)
    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]
    assert len(open_ledger(tmp_path).runs) == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("arguments", "umask", "mode"), [({}, 0o022, 0o600), ({"file_mode": 0o664}, 0o027, 0o640)])
def test_files_are_their_users_alone_unless_asked_otherwise(
    tmp_path: Path, arguments: dict[str, int], umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        for run_id, seal in (("sealed", True), ("live", False)):
            writer = LedgerWriter(tmp_path / "ledger", run=run_row(run_id=run_id), **arguments)  # type: ignore[arg-type]
            writer.append("samples", [sample_row(0)])
            writer.close(ended=NEW_YEAR, seal=seal)
    finally:
        os.umask(before)

    files = [path for path in (tmp_path / "ledger").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".jsonl", ".parquet"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_what_root_compacts_stays_its_owners(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    writer.close(ended=NEW_YEAR, seal=False)
    for path in (tmp_path / "live").rglob("*"):
        os.chown(path, 65534, 65534)
    (tmp_path / "live" / "samples" / "service_key=api").chmod(0o2750)

    compact_ledger(tmp_path)

    folders = [tmp_path / name for name in ("samples", "samples/service_key=api", "runs", "runs/service_key=api")]
    assert {folder.stat().st_uid for folder in folders} == {65534}
    assert stat.S_IMODE(folders[1].stat().st_mode) == 0o2750

    sealed = [path.stat() for path in tmp_path.rglob("*.parquet")]
    assert {(status.st_uid, stat.S_IMODE(status.st_mode)) for status in sealed} == {(65534, 0o600)}
