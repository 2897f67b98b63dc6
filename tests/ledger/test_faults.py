"""Bad input and failing disks, each for real: what is good stays readable, and what is bad is reported."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, RUN_ID, run_row, sample_row, write_ledger

from memanalysis.errors import LedgerError
from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

NOBODY = 65534
"""User and group of programs that are to have no rights."""


def mount(*arguments: object) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=512k", "tmpfs", folder):
        pytest.skip("a small file system can be mounted by root only; a limit on files is tested elsewhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A ledger that is mounted so that nobody can write it."""
    write_ledger(tmp_path / "ledger", seal=False)
    folder = tmp_path / "read-only"
    folder.mkdir()
    if not (mount("--bind", tmp_path / "ledger", folder) and mount("-o", "remount,ro,bind", folder)):
        pytest.skip("a folder can be mounted read-only by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(stream: IO[bytes]) -> None:
    while True:
        stream.write(b"x" * 4096)


def test_a_disk_that_is_full_keeps_the_rows_waiting_until_there_is_space(small_disk: Path) -> None:
    writer = LedgerWriter(small_disk / "ledger", run=run_row())
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError) as caught:  # noqa: PT011 - its number shows which
        fill(stream)
    assert caught.value.errno == errno.ENOSPC
    texts = set()
    for seq in range(400):
        try:
            writer.append("samples", [sample_row(seq, label="x" * 100)])
        except LedgerError as exc:
            texts.add(str(exc).partition("refused: ")[2])
    assert texts == {
        f"{os.strerror(errno.ENOSPC)}. The rows stay in memory; free some space and append or flush again."
    }
    assert len(open_ledger(small_disk / "ledger").samples) < 400

    ballast.unlink()
    writer.flush()

    ledger = open_ledger(small_disk / "ledger")
    assert ledger.samples["seq"].tolist() == list(range(400))
    assert ledger.damage == []
    writer.close(ended=NEW_YEAR)
    assert len(open_ledger(small_disk / "ledger").samples) == 400


def test_a_seal_that_finds_the_disk_full_leaves_the_lines(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = LedgerWriter(small_disk / "ledger", run=run_row())
    rng = np.random.default_rng(0)
    rows = [sample_row(seq, label=rng.bytes(40).hex()) for seq in range(1000)]
    for begin in range(0, 1000, 100):
        writer.append("samples", rows[begin : begin + 100])
    (small_disk / "ballast").write_bytes(b"x" * 240 * 1024)

    writer.close(ended=NEW_YEAR)

    assert "unsealed" in caplog.text
    assert not list(small_disk.rglob("*.tmp"))
    assert open_ledger(small_disk / "ledger").samples["seq"].tolist() == list(range(1000))


@pytest.mark.slow
def test_the_recorder_reports_once_of_a_full_disk_and_writes_all_when_there_is_space(small_disk: Path) -> None:
    program = """
import logging, os, sys, time
from memanalysis import watch
logging.basicConfig(format="%(message)s", stream=sys.stdout)
root = sys.argv[1]
recorder = watch("api", ledger=root + "/ledger", interval=0.01, trace="off")
recorder.start()
with open(root + "/ballast", "wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(b"x" * 4096)
    except OSError:
        pass
deadline = time.monotonic() + 60
while recorder.status().errors < 5 and time.monotonic() < deadline:
    time.sleep(0.01)
os.remove(root + "/ballast")
errors = recorder.status().errors
ticks = recorder.status().ticks
while recorder.status().ticks < ticks + 3 and time.monotonic() < deadline:
    time.sleep(0.01)
recorder.stop(seal=False)
print("errors", recorder.status().errors, "ticks", recorder.status().ticks)
"""
    reported = run(program, small_disk).splitlines()

    _, errors, _, ticks = reported[-1].split()
    assert int(errors) >= 5
    assert [line for line in reported if "No space left" in line] == reported[:-1]
    assert len(reported) == 2
    ledger = open_ledger(small_disk / "ledger")
    assert ledger.samples["seq"].tolist() == list(range(int(ticks)))
    assert ledger.damage == []
    assert "error" in ledger.events["kind"].tolist()


def test_a_read_only_ledger_is_read_and_a_write_reported(read_only: Path, tmp_path: Path) -> None:
    assert len(open_ledger(read_only).samples) == 9

    with pytest.raises(LedgerError, match=r"^LedgerWriter needs to write .* refused: Read-only file system\. The rows"):
        LedgerWriter(read_only, run=run_row("new"))
    with pytest.raises(LedgerError, match=r"compact needs to change the files of .* but cannot: Read-only file system"):
        compact_ledger(read_only)
    with pytest.raises(LedgerError, match=r"convert needs to write .* but cannot: Read-only file system"):
        convert_ledger(read_only, read_only / "copy.parquet")
    convert_ledger(read_only, tmp_path / "copy.parquet")
    assert len(open_ledger(tmp_path / "copy.parquet").samples) == 9


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_permission_is_reported() -> None:
    program = f"""
import os, sys
from memanalysis.errors import LedgerError
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
root = sys.argv[1]
print(len(open_ledger(root).samples))
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
for call in (
    lambda: LedgerWriter(root, run={{"run_id": "r", "service": "new"}}),
    lambda: compact_ledger(root),
    lambda: open_ledger(root).samples,
):
    try:
        print(len(call()))
    except LedgerError as exc:
        print(exc)
"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "ledger"
        write_ledger(root, seal=False)
        for file in root.rglob("*.*"):
            file.chmod(0o644)
        secret = next((root / "live" / "samples" / "service_key=b").iterdir())
        secret.chmod(0)

        reported = run(program, root).splitlines()
        (root / "ledger.json").chmod(0o600)
        of_its_user_alone = run(program, root).splitlines()

    assert reported[0] == "9"
    assert f"refused: {os.strerror(errno.EACCES)}. The rows stay in memory" in reported[1]
    assert "compact needs to change the files of" in reported[2]
    assert os.strerror(errno.EACCES) in reported[2]
    assert [line.partition(",")[0] for line in of_its_user_alone[2:]] == [
        f"open_ledger needs to read {root}/ledger.json"
    ] * 2
    assert reported[3] == "6"  # the shard that may not be read is passed over, and reported


@pytest.mark.slow
def test_a_line_of_100_mb_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger", seal=False)
    folder = tmp_path / "ledger" / "live" / "samples" / "service_key=a"
    with (folder / "huge.jsonl").open("wb") as stream:
        stream.write(b'{"seq": 98, "service": "a"}\n{"label": "')
        for _ in range(100):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n{"seq": 99, "service": "a"}\n')
    program = """
import resource, sys
from memanalysis.ledger.reading.ledger import open_ledger
open_ledger(sys.argv[1] + "/small").samples
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ledger = open_ledger(sys.argv[1] + "/ledger")
print(ledger.samples["seq"].max(), ledger.damage)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024)
"""
    write_ledger(tmp_path / "small", seal=False)

    assert run(program, tmp_path).splitlines() == [
        f"99 {[SkippedRows('live/samples/service_key=a/huge.jsonl', 1, 'a line over 16 MiB')]}",
        "True",
    ]


def test_rows_that_were_written_twice_are_shown_twice(tmp_path: Path) -> None:
    """A ledger shows what was written; equal rows are no error."""
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0), sample_row(0)])
    writer.close(ended=NEW_YEAR)

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 0]


def test_nan_and_infinite_values_are_unknown(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    for value in (float("nan"), float("inf"), float("-inf"), np.float64("nan")):
        writer.append("samples", [sample_row(0, elapsed_s=value, capture_s=value, rss_bytes=value)])
    writer.append("events", [{"timestamp": float("nan"), "kind": "mark", "data": {"x": float("inf")}}])

    for seal in (False, True):
        if seal:
            writer.close(ended=NEW_YEAR)
        ledger = open_ledger(tmp_path)
        assert ledger.samples[["elapsed_s", "capture_s", "rss_bytes"]].isna().all(axis=None)
        assert ledger.events["timestamp"].isna().all()
        assert ledger.events["data"].tolist() == [{"x": None}]
        assert ledger.damage == []


def test_timestamps_of_any_zone_are_one_moment(tmp_path: Path) -> None:
    texts = ["2025-01-01T00:00:00Z", "2025-01-01T05:30:00+05:30", "2024-12-31T19:00:00-05:00", "2025-01-01T00:00:00"]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"seq": 0, "timestamp": text}) + "\n" for text in texts), encoding="utf-8")

    assert open_ledger(path).samples["timestamp"].tolist() == [pd.Timestamp("2025-01-01T00:00:00Z")] * 4


@pytest.mark.parametrize("seal", [False, True])
def test_two_runs_with_one_id_both_stay(tmp_path: Path, seal: bool) -> None:
    writers = [LedgerWriter(tmp_path, run=run_row()) for _ in range(2)]
    for number, writer in enumerate(writers):
        writer.append("samples", [sample_row(seq, label=str(number)) for seq in range(3)])
    for writer in writers:
        writer.close(ended=NEW_YEAR, seal=seal)

    samples = open_ledger(tmp_path).samples
    assert samples["seq"].tolist() == [0, 0, 1, 1, 2, 2]
    assert samples["label"].value_counts().to_dict() == {"0": 3, "1": 3}
    assert set(samples["run_id"]) == {RUN_ID}


@pytest.mark.slow
@pytest.mark.parametrize(
    "service",
    ["a/b", "../../etc", "..", "a\0b", "x" * 300, "\U0001f600" * 80, "a b", "CON", "~"],
    ids=["slash", "upwards", "dots", "nul", "long", "emoji", "space", "device", "tilde"],
)
def test_a_service_of_any_name_stays_in_its_folder(tmp_path: Path, service: str) -> None:
    root = tmp_path / "ledger"
    writer = LedgerWriter(root, run=run_row(service), segment_bytes=300)
    for seq in range(5):
        writer.append("samples", [sample_row(seq)])
    writer.close(ended=NEW_YEAR)

    ledger = open_ledger(root)
    assert ledger.services == [service]
    assert ledger.read("samples", services=[service])["seq"].tolist() == list(range(5))
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]
    convert_ledger(root, tmp_path / "copy")
    assert open_ledger(tmp_path / "copy").services == [service]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "ledger"]


def test_reading_runs_and_unpickles_nothing(tmp_path: Path) -> None:
    """A ledger made to mislead readers: a pickle by name and content, code in every text, a module beside it."""
    write_ledger(tmp_path / "ledger", seal=False)
    folder, sealed = (tmp_path / "ledger" / where / "service_key=a" for where in ("live/samples", "samples"))
    sealed.mkdir(parents=True)
    bomb = b"cos\nsystem\n(S'touch " + os.fsencode(tmp_path / "ran") + b"'\ntR."
    for name in ("x.pkl", "x.jsonl", "x.parquet", "sitecustomize.py"):
        (folder / name).write_bytes(bomb)
        (sealed / name).write_bytes(bomb)
    (folder / "y.jsonl").write_text(
        json.dumps({"service": "a", "seq": 1, "label": f"__import__('os').system('touch {tmp_path / 'ran'}')"}) + "\n",
        encoding="utf-8",
    )

    ledger = open_ledger(tmp_path / "ledger")
    assert len(ledger.samples) == 10
    compact_ledger(tmp_path / "ledger")
    convert_ledger(tmp_path / "ledger", tmp_path / "copy.jsonl")

    assert not (tmp_path / "ran").exists()


def test_a_link_out_of_the_ledger_is_neither_sealed_nor_dropped(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger", seal=False)
    outside = tmp_path / "outside.jsonl"
    outside.write_text('{"service": "a", "seq": 1}\n', encoding="utf-8")
    link = tmp_path / "ledger" / "live" / "samples" / "service_key=a" / "link.jsonl"
    link.symlink_to(outside)

    compact_ledger(tmp_path / "ledger", retention=Retention(max_bytes=0))

    assert link.is_symlink()
    assert outside.read_text(encoding="utf-8") == '{"service": "a", "seq": 1}\n'
