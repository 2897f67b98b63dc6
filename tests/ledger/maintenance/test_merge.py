"""`compact` merges the small files of runs that have ended, and a kill at any step leaves each row exactly once."""

import json
import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deadly_calls import runs_until_killed
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.files import LocalFiles
from memanalysis.ledger.info import describe_ledger
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.merge_journal import JOURNAL_NAME, MERGED_PREFIX, read_journal
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import TABLES

pytestmark = pytest.mark.slow

DAY = 86_400.0
TABLES_WRITTEN = ("samples", "sites", "objects", "events", "runs")

COMPACT = ("from memanalysis.ledger.maintenance.compact import compact_ledger", "compact_ledger(root)")


def write_run(root: Path, run_id: str, begin: float, *, service: str = "api", rows: int = 2) -> None:
    writer = LedgerWriter(root, run=run_row(service, run_id, started=begin))
    writer.append("samples", [sample_row(seq, timestamp=begin + seq) for seq in range(rows)])
    site = {"seq": 0, "timestamp": begin, "site_id": "a", "file": "a.py", "line": 3, "traceback": [["a.py", 3]]}
    writer.append("sites", [site | {"size_bytes": 5}, site | {"site_id": "b", "traceback": [["b.py", 1]]}])
    writer.append("objects", [{"seq": 0, "timestamp": begin, "type": "dict", "count": 7}])
    writer.append("events", [{"timestamp": begin, "kind": "mark", "data": {"n": run_id}}])
    writer.close(ended=begin + rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six runs of one day, in two services, and one of the day after."""
    folder = tmp_path / "ledger"
    for number in range(5):
        write_run(folder, f"20250101T00000{number}Z-{number}-0badcafe", NEW_YEAR + number)
    write_run(folder, "20250102T000000Z-9-0badcafe", NEW_YEAR + DAY)
    write_run(folder, "20250101T000000Z-7-0badcafe", NEW_YEAR, service="other")
    return folder


def frames(root: Path) -> dict[str, pd.DataFrame]:
    ledger = open_ledger(root)
    found = {table: getattr(ledger, table) for table in TABLES}
    assert ledger.damage == []
    keys = {"sites": ["service", "run_id", "site_id"]}
    return {
        table: frame.sort_values(keys[table], ignore_index=True) if table in keys else frame
        for table, frame in found.items()
    }


def check_same(root: Path, expected: dict[str, pd.DataFrame]) -> None:
    for table, frame in frames(root).items():
        pd.testing.assert_frame_equal(frame, expected[table])


def sealed(root: Path, table: str, service: str = "api") -> list[str]:
    return sorted(path.name for path in root.glob(f"{table}/service_key={service}/*.parquet"))


def test_small_files_of_ended_runs_become_one_a_service_and_day(root: Path) -> None:
    before = frames(root)

    done = compact_ledger(root).merged

    assert (done.sources, done.files, done.failed) == (25, 5, [])
    for table in TABLES_WRITTEN:
        merged, other = sealed(root, table)[::-1]
        assert merged.startswith(f"{MERGED_PREFIX}20250101-")
        assert other == "20250102T000000Z-9-0badcafe.parquet"
        assert sealed(root, table, "other") == ["20250101T000000Z-7-0badcafe.parquet"]
    check_same(root, before)
    assert not (root / JOURNAL_NAME).exists()


def test_what_is_merged_is_not_rewritten_and_takes_in_later_runs(root: Path) -> None:
    compact_ledger(root)
    states = {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")}

    assert compact_ledger(root).merged.files == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")} == states

    write_run(root, "20250101T000009Z-9-0badcafe", NEW_YEAR + 9)
    expected = frames(root)
    assert compact_ledger(root).merged.sources == 10
    assert len(sealed(root, "samples")) == 2
    check_same(root, expected)


def test_files_of_a_living_run_and_of_another_tool_stay(root: Path) -> None:
    folder = root / "samples/service_key=api"
    foreign = pd.DataFrame({"rss_bytes": [1], "timestamp": [pd.Timestamp("2025-01-01", tz="UTC")]})
    foreign.to_parquet(folder / "foreign.parquet")
    writer = LedgerWriter(root, run=run_row("api", "living", started=NEW_YEAR), segment_bytes=1)
    writer.append("samples", [sample_row(0)])
    writer._full.wait(60)
    assert (folder / "living.parquet").exists()
    before = frames(root)

    compact_ledger(root)

    names = sealed(root, "samples")
    assert {"foreign.parquet", "living.parquet"} <= set(names)
    assert len([name for name in names if name.startswith(MERGED_PREFIX)]) == 1
    check_same(root, before)
    writer.append("samples", [sample_row(1)])
    writer.close(ended=NEW_YEAR + 2)
    assert open_ledger(root).samples.query("run_id == 'living'")["seq"].tolist() == [0, 1]


def test_a_row_group_of_a_merged_file_holds_neighbouring_runs_only(tmp_path: Path) -> None:
    """Statistics of `run_id` then show which row groups to read for one run."""
    for number in range(6):
        write_run(tmp_path, f"run-{number}", NEW_YEAR + number, rows=10_000)

    compact_ledger(tmp_path)

    (merged,) = tmp_path.glob("samples/service_key=api/*.parquet")
    metadata = pq.read_metadata(merged)
    bounds = [metadata.row_group(number).column(0).statistics for number in range(metadata.num_row_groups)]
    ends = [(bound.min, bound.max) for bound in bounds]
    assert ends == sorted(ends)
    assert len(ends) > 1
    assert all(after[0] >= before[1] for before, after in pairwise(ends))
    order = json.loads(metadata.metadata[b"memanalysis.order"])
    assert (order["run_id"], order["last_run_id"], order["by"]) == ("run-0", "run-5", "time")


def test_a_kill_at_any_step_leaves_each_row_exactly_once(tmp_path: Path) -> None:
    """SIGKILL before each call that changes a folder, in a process of its own: then read, then compact and read."""
    step = n_kills = 0
    with runs_until_killed(*COMPACT) as run:
        while True:
            step += 1
            root = tmp_path / str(step)
            for number in range(3):
                writer = LedgerWriter(root, run=run_row(run_id=f"run-{number}", started=NEW_YEAR + number))
                writer.append("samples", [sample_row(seq) for seq in range(2)])
                writer.close(ended=NEW_YEAR + number)
            before = frames(root)
            done = run(root, step=step)
            check_same(root, before)
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
            n_kills += 1
            compact_ledger(root)
            check_same(root, before)
            assert len(sealed(root, "samples")) == 1
            assert not (root / JOURNAL_NAME).exists()
    assert n_kills == done.n_calls
    assert n_kills >= 2 * 10  # of each table: four syncs, two renames, three sources and the journal


def test_a_copy_of_a_ledger_amid_a_merge_reads_each_row_once(root: Path, tmp_path: Path) -> None:
    """The sources are known by size and checksum, which a copy keeps."""
    before = frames(root)
    with runs_until_killed(*COMPACT) as run:
        done = run(root, step=10)
    assert done.returncode == -signal.SIGKILL
    assert read_journal(LocalFiles(root)) is not None
    subprocess.run(["cp", "-r", str(root), str(tmp_path / "copy")], check=True)

    check_same(tmp_path / "copy", before)


def test_a_journal_that_leads_out_of_the_ledger_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(b"x")
    compact_ledger(root)
    (merged,) = [name for name in sealed(root, "samples") if name.startswith(MERGED_PREFIX)]
    for table, source in (("samples", "../../../outside.parquet"), ("../..", "outside.parquet")):
        found = {"table": table, "partition": "service_key=api", "merged": merged}
        found["sources"] = [{"name": source, "size": 1, "crc32": 0x8CDC1683}]  # type: ignore[assignment]
        (root / JOURNAL_NAME).write_text(json.dumps(found), encoding="utf-8")
        compact_ledger(root)
        assert outside.exists()
        assert not (root / JOURNAL_NAME).exists()


def test_a_run_that_takes_the_name_of_a_merged_one_is_read(root: Path) -> None:
    compact_ledger(root)
    write_run(root, "20250101T000000Z-0-0badcafe", NEW_YEAR + 100)

    samples = open_ledger(root).samples
    assert len(samples[samples["run_id"] == "20250101T000000Z-0-0badcafe"]) == 4


def test_a_corrupt_file_is_named_and_the_others_are_merged(root: Path) -> None:
    corrupt = root / "samples/service_key=api/20250101T000002Z-2-0badcafe.parquet"
    content = bytearray(corrupt.read_bytes())
    content[4:60] = b"\xff" * 56
    corrupt.write_bytes(content)

    done = compact_ledger(root).merged

    assert [text.partition(": ")[0] for text in done.failed] == [str(corrupt)]
    assert done.sources == 24
    assert corrupt.exists()
    assert len(open_ledger(root).samples) == 12


def test_readers_see_each_row_once_while_files_are_merged(tmp_path: Path) -> None:
    for number in range(30):
        write_run(tmp_path, f"run-{number:02}", NEW_YEAR + number)
    counts: set[tuple[int, int]] = set()
    over = threading.Event()

    def read() -> None:
        while True:
            last = over.is_set()
            samples = open_ledger(tmp_path).samples
            counts.add((len(samples), len(samples.drop_duplicates(["run_id", "seq"]))))
            if last:
                return

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run([sys.executable, "-m", "memanalysis", "compact", str(tmp_path)], check=True, capture_output=True)
    over.set()
    reader.join()

    assert counts == {(60, 60)}


def test_retention_knows_the_runs_of_merged_files(root: Path) -> None:
    """A day goes whole; the rows of `runs` go with the last that is left of their runs."""
    compact_ledger(root)
    now = NEW_YEAR + 1.5 * DAY

    done = compact_ledger(root, retention=Retention(max_age_days=1.0), now=now).retention

    assert done.rows_dropped == 6 * (2 + 2 + 1 + 1 + 2)  # samples, sites, objects, events, and both rows of runs
    ledger = open_ledger(root)
    assert set(ledger.samples["run_id"]) == {"20250102T000000Z-9-0badcafe"}
    assert set(ledger.runs["run_id"]) == {"20250102T000000Z-9-0badcafe"}


def test_down_sampling_keeps_the_runs_of_a_merged_file_apart(tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run-{number}", NEW_YEAR, rows=60)
    compact_ledger(tmp_path)

    retention = Retention(downsample_after_days=1.0, downsample_interval_s=3600.0)
    compact_ledger(tmp_path, retention=retention, now=NEW_YEAR + 3 * DAY)

    samples = open_ledger(tmp_path).samples
    assert samples.groupby("run_id").size().tolist() == [3, 3]
    assert samples["label"].str.contains("60 samples").all()
    assert compact_ledger(tmp_path, retention=retention, now=NEW_YEAR + 3 * DAY).retention.files_thinned == 0


def test_info_and_convert_take_merged_files(root: Path, tmp_path: Path) -> None:
    before = frames(root)
    n_runs = describe_ledger(root).runs
    compact_ledger(root)

    info = describe_ledger(root)
    assert (info.runs, info.tables["samples"].sealed_files, info.tables["samples"].rows) == (n_runs, 3, 14)
    convert_ledger(root, tmp_path / "converted")
    check_same(tmp_path / "converted", before)


def test_a_dry_run_tells_what_would_be_merged(root: Path) -> None:
    before = sorted(root.rglob("*"))

    done = compact_ledger(root, dry_run=True).merged

    assert (done.sources, done.files) == (25, 5)
    assert sorted(root.rglob("*")) == before


def test_what_cannot_be_treated_is_named_and_the_rest_is_done(root: Path) -> None:
    folder = root / "samples/service_key=api"
    (folder / "a.jsonl").mkdir()
    os.mkfifo(folder / "b.jsonl")
    (root / "samples/service_key=evil").symlink_to(folder)

    done = compact_ledger(root)

    assert done.failed == [
        f"{root}/samples/service_key=api/a.jsonl: a folder where a file belongs",
        f"{root}/samples/service_key=api/b.jsonl: a named pipe, socket or device, which is not opened",
        f"{root}/samples/service_key=evil: a link, which is not followed",
    ]
    assert done.merged.files == 5


def test_a_moment_beyond_the_year_9999_in_the_statistics_of_one_file_stops_nothing(root: Path) -> None:
    """The format has 64 bits of microseconds, some 292,000 years."""
    path = next(path for path in sorted(root.rglob("samples/*/*.parquet")) if "000003Z" in path.name)
    table = pq.read_table(path)
    beyond = pa.array([2**62] * table.num_rows, pa.int64()).cast(table.schema.field("timestamp").type)
    place = table.schema.get_field_index("timestamp")
    pq.write_table(table.set_column(place, table.schema.field("timestamp"), beyond), path)
    before = len(open_ledger(root).samples)
    merged = compact_ledger(root).merged
    ledger = open_ledger(root)

    assert merged.files > 0
    assert merged.failed == []
    assert len(ledger.samples) == before
    assert ledger.samples["timestamp"].isna().sum() == table.num_rows
    assert len(ledger.damage) == 1
