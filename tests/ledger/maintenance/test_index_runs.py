"""`compact` indexes the runs of a day with many of them, and whatever drops a run drops it from the index."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deadly_calls import runs_until_killed
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.files import LocalFiles
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.maintenance.index_runs import Indexed, index_runs
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.paths import INDEX_FOLDER
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

DAY = 86_400.0

INDEX = (
    "from memanalysis.ledger.files import LocalFiles; from memanalysis.ledger.maintenance.index_runs import index_runs",
    "index_runs(LocalFiles(root))",
)


def write_run(root: Path, service: str, *, day: int = 1, number: int = 0, file_mode: int = 0o600) -> str:
    started = NEW_YEAR + (day - 1) * DAY + number
    run_id = f"202501{day:02}T000000Z-{number}-0badcafe"
    writer = LedgerWriter(root, run=run_row(service, run_id, started=started), file_mode=file_mode)
    writer.append("samples", [sample_row(seq, timestamp=started + seq) for seq in range(2)])
    writer.close(ended=started + 2)
    return run_id


def indexed(root: Path) -> dict[str, list[str]]:
    """Services in each file of the index, as PyArrow reads it."""
    found = sorted((root / INDEX_FOLDER).glob("*"))
    return {path.name: sorted(pq.read_table(path)["service"].unique().to_pylist()) for path in found}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five services with a run on each of two days, and three with one on a third."""
    folder = tmp_path / "ledger"
    for day, services in ((1, "abcde"), (2, "abcde"), (3, "abc")):
        for service in services:
            write_run(folder, service, day=day)
    return folder


def test_a_day_of_at_least_four_files_has_an_index(root: Path) -> None:
    done = compact_ledger(root)

    assert done.indexed == Indexed(sources=10, files=2)
    assert indexed(root) == {"runs-20250101.parquet": list("abcde"), "runs-20250102.parquet": list("abcde")}


def test_a_dry_run_counts_and_writes_nothing(root: Path) -> None:
    assert compact_ledger(root, dry_run=True).indexed == Indexed(sources=10, files=2)
    assert not (root / INDEX_FOLDER).exists()


def test_only_the_index_of_a_day_that_changed_is_written_again(root: Path) -> None:
    compact_ledger(root)
    states = {path.name: path.stat().st_mtime_ns for path in (root / INDEX_FOLDER).iterdir()}
    write_run(root, "f", day=2)

    assert compact_ledger(root).indexed == Indexed(sources=1, files=1)

    after = {path.name: path.stat().st_mtime_ns for path in (root / INDEX_FOLDER).iterdir()}
    assert [name for name in states if after[name] != states[name]] == ["runs-20250102.parquet"]
    assert indexed(root)["runs-20250102.parquet"] == list("abcdef")
    assert compact_ledger(root).indexed == Indexed()


def test_a_run_that_retention_drops_is_in_no_index(root: Path) -> None:
    """Its row may hold arguments and names of hosts, so it must not outlast the run."""
    compact_ledger(root)
    dropped = Retention(max_age_days=1.0)

    done = compact_ledger(root, retention=dropped, now=NEW_YEAR + 2 * DAY)

    assert "20250101T000000Z-0-0badcafe" not in open_ledger(root).runs["run_id"].tolist()
    assert done.retention.failed == []
    assert indexed(root) == {"runs-20250102.parquet": list("abcde")}


@pytest.mark.parametrize("adds", [True, False])
def test_an_index_without_files_goes(root: Path, adds: bool) -> None:
    compact_ledger(root)
    for path in list(root.glob("runs/*/20250102*.parquet"))[:2]:
        path.unlink()

    index_runs(LocalFiles(root), adds=adds)

    assert list(indexed(root)) == ["runs-20250101.parquet"]


def test_the_size_that_retention_allows_includes_the_index(root: Path) -> None:
    compact_ledger(root)
    size = sum(path.stat().st_size for path in root.rglob("*.parquet"))

    assert compact_ledger(root, retention=Retention(max_bytes=size)).retention.files_dropped == 0
    assert compact_ledger(root, retention=Retention(max_bytes=size - 1)).retention.files_dropped >= 1


def test_files_with_damage_are_not_indexed_and_stay_named(root: Path) -> None:
    """A file that another tool wrote with no service, one with a value that cannot be, and one that is none."""
    folder = root / "runs" / "service_key=z"
    folder.mkdir()
    pq.write_table(pa.table({"run_id": ["r1"]}), folder / "20250101-nameless.parquet")
    pq.write_table(
        pa.table({"run_id": ["r2"], "service": ["z"], "sampling_interval_bytes": [-1]}),
        folder / "20250101-impossible.parquet",
    )
    (folder / "20250101-broken.parquet").write_bytes(b"PAR1 no more")

    compact_ledger(root)

    ledger = open_ledger(root)
    assert indexed(root)["runs-20250101.parquet"] == list("abcde")
    assert ledger.runs.query("service == 'z'")["run_id"].tolist() == ["r1", "r2"]
    assert [Path(record.file).name for record in ledger.damage_found] == [
        "20250101-broken.parquet",
        "20250101-impossible.parquet",
    ]


def test_an_index_has_the_permissions_of_the_ledger(tmp_path: Path) -> None:
    for service in "abcd":
        write_run(tmp_path, service, file_mode=0o640)

    compact_ledger(tmp_path)

    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (f"{INDEX_FOLDER}/runs-20250101.parquet",)]
    assert modes == [stat.S_IMODE((tmp_path / "ledger.json").stat().st_mode)]


def test_other_tools_do_not_see_the_index(root: Path) -> None:
    compact_ledger(root)

    assert pq.read_table(root / "runs").num_rows == 2 * 13  # of its beginning, and its end


@pytest.mark.slow
def test_a_kill_at_any_step_changes_no_answer(root: Path) -> None:
    """SIGKILL before each call that changes a folder, with an index of before in its place."""
    compact_ledger(root)
    write_run(root, "f", day=1, number=7)
    write_run(root, "f", day=2, number=8)
    expected = open_ledger(root).runs
    step = n_kills = 0
    with runs_until_killed(*INDEX) as run:
        while True:
            step += 1
            done = run(root, step=step)
            ledger = open_ledger(root)
            assert ledger.runs.equals(expected)
            assert ledger.damage == []
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
            n_kills += 1
    assert n_kills >= 3
    assert sum(len(services) for services in indexed(root).values()) == 12


def test_what_was_indexed_is_printed_and_in_json(root: Path) -> None:
    command = [sys.executable, "-m", "memanalysis", "compact", str(root)]
    environment = {**os.environ, "COLUMNS": "100"}

    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout)["indexed"] == {"sources": 10, "files": 2, "failed": []}

    write_run(root, "f", day=2)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "indexed              1 files of runs in 1" in done.stdout
