"""The index of runs changes no answer: rows of files that are there as they were, and all others, are read right."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.files import LocalFiles
from memanalysis.ledger.maintenance import index_runs
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.paths import INDEX_FOLDER
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.reading.run_index import INDEX_VERSION, INDEX_VERSION_KEY
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.verdicts.assess import assess

DAY = 86_400.0
SERVICES = [f"service-{number}" for number in range(6)]
INDEX_NAME = f"{INDEX_FOLDER}/runs-20250101.parquet"


def write_run(root: Path, service: str, number: int, *, day: int = 1, is_closed: bool = True) -> LedgerWriter:
    started = NEW_YEAR + (day - 1) * DAY + number
    run_id = f"202501{day:02}T000000Z-{number}-0badcafe"
    writer = LedgerWriter(root, run=run_row(service, run_id, started=started, labels={"number": str(number)}))
    writer.append("samples", [sample_row(seq, timestamp=started + seq) for seq in range(3)])
    if is_closed:
        writer.close(ended=started + 3)
    return writer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six services with two runs each of one day, merged and indexed, and a run of the next day."""
    folder = tmp_path / "ledger"
    for place, service in enumerate(SERVICES):
        write_run(folder, service, 2 * place)
        write_run(folder, service, 2 * place + 1)
    write_run(folder, "service-0", 99, day=2)
    compact_ledger(folder)
    assert sorted(path.name for path in (folder / INDEX_FOLDER).iterdir()) == ["runs-20250101.parquet"]
    return folder


def files_of_runs(root: Path) -> list[Path]:
    return sorted(root.glob("runs/*/*.parquet"))


def read_without(root: Path) -> pd.DataFrame:
    """Read the runs of a copy that has no index."""
    copy = root.with_name("without")
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(INDEX_FOLDER))
    try:
        return open_ledger(copy).runs
    finally:
        shutil.rmtree(copy)


def corrupt(path: Path, *, size: int | None = None) -> None:
    """Make a file unreadable, of its present size unless another is given."""
    path.write_bytes(b"x" * (path.stat().st_size if size is None else size))


def test_the_rows_of_files_that_are_as_they_were_come_from_the_index(root: Path) -> None:
    """No reader could read six of the seven files; each of the thirteen runs has the label that was recorded."""
    expected = read_without(root)
    for path in files_of_runs(root):
        if "20250101" in path.name:
            corrupt(path)

    ledger = open_ledger(root)
    runs = ledger.runs

    pd.testing.assert_frame_equal(runs, expected)
    assert runs["labels"].map(lambda labels: labels["number"]).tolist() == [
        "0", "1", "99", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
    ]  # fmt: skip
    assert ledger.damage_found == []


def test_damage_is_looked_for_in_the_files_themselves(root: Path) -> None:
    ledger = open_ledger(root)
    assert len(ledger.runs) == 13
    broken = files_of_runs(root)[3]
    corrupt(broken)

    assert [record.file for record in ledger.damage] == [broken.relative_to(root).as_posix()]
    assert len(ledger.runs) == 13
    assert [record.file for record in ledger.damage] == [broken.relative_to(root).as_posix()]


def test_a_file_of_another_size_or_name_is_read_and_one_that_is_gone_has_no_rows(root: Path) -> None:
    longer, renamed, gone = files_of_runs(root)[2:5]
    corrupt(longer, size=longer.stat().st_size + 1)
    renamed.rename(renamed.with_name("other.parquet"))
    corrupt(renamed.with_name("other.parquet"))
    gone.unlink()

    ledger = open_ledger(root)

    assert sorted(set(ledger.runs["service"])) == ["service-0", "service-4", "service-5"]
    assert [Path(record.file).name for record in ledger.damage_found] == [longer.name, "other.parquet"]


def test_some_columns_services_and_times_are_chosen_as_without_an_index(root: Path) -> None:
    copy = root.with_name("without")
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(INDEX_FOLDER))
    chosen: list[dict[str, object]] = [
        {"columns": ["ended", "service"]},
        {"services": ["service-2", "service-4"]},
        {"since": NEW_YEAR + 9, "until": NEW_YEAR + DAY},
        {"columns": ["run_id"], "until": NEW_YEAR + 5},
    ]

    for arguments in chosen:
        found, expected = (open_ledger(place).read("runs", **arguments) for place in (root, copy))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(found, expected)
        assert len(found) > 1


def damage_bytes(path: Path) -> None:
    """Overwrite the middle, where the pages are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 3] = b"\xff" * (len(content) // 3 - len(content) // 4)
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def drop_a_column(path: Path) -> None:
    rows = pq.read_table(path)
    metadata = pq.read_metadata(path).metadata
    with pq.ParquetWriter(path, rows.drop_columns(["run_id"]).schema) as writer:
        writer.write_table(rows.drop_columns(["run_id"]))
        writer.add_key_value_metadata({key: metadata[key] for key in metadata if key.startswith(b"memanalysis")})


def make_a_value_impossible(path: Path) -> None:
    rows = pq.read_table(path)
    metadata = pq.read_metadata(path).metadata
    position = rows.column_names.index("service")
    broken = pa.array([b"\xff\xfe"] * rows.num_rows).cast(pa.string(), safe=False)
    rows = rows.set_column(position, "service", broken)
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({key: metadata[key] for key in metadata if key.startswith(b"memanalysis")})


@pytest.mark.parametrize("corrupt_index", [corrupt, damage_bytes, cut, drop_a_column, make_a_value_impossible])
def test_a_broken_index_is_named_and_the_files_are_read(root: Path, corrupt_index: object) -> None:
    expected, verdicts = read_without(root), assess(root)
    corrupt_index(root / INDEX_NAME)  # type: ignore[operator]

    ledger = open_ledger(root)

    pd.testing.assert_frame_equal(ledger.runs, expected)
    assert [record.file for record in ledger.damage_found] == [INDEX_NAME]
    assert [record.file for record in open_ledger(root).damage] == [INDEX_NAME]
    pd.testing.assert_frame_equal(assess(root), verdicts)  # nothing of the ledger is unreadable

    assert compact_ledger(root).indexed.files == 1
    assert open_ledger(root).damage == []


def test_an_index_that_may_not_be_read_is_named(root: Path) -> None:
    if os.geteuid() == 0:
        (root / INDEX_NAME).unlink()
        (root / INDEX_NAME).mkdir()
    else:
        (root / INDEX_NAME).chmod(0)

    ledger = open_ledger(root)

    assert len(ledger.runs) == 13
    assert [record.file for record in ledger.damage_found] == [INDEX_NAME]


def test_an_index_of_a_newer_version_is_passed_over(root: Path) -> None:
    """A newer memanalysis may write its index as it likes: the files of the runs are what counts."""
    path, expected = root / INDEX_NAME, read_without(root)
    rows = pa.table({"another": ["layout"]})
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({INDEX_VERSION_KEY: str(INDEX_VERSION + 1)})

    ledger = open_ledger(root)

    pd.testing.assert_frame_equal(ledger.runs, expected)
    assert ledger.damage == []


def test_a_link_is_neither_followed_nor_written_through(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (root / INDEX_FOLDER).rename(outside)
    (root / INDEX_FOLDER).symlink_to(outside)
    states = {path.name: path.stat().st_mtime_ns for path in outside.iterdir()}
    for path in files_of_runs(root)[:2]:
        path.unlink()

    ledger = open_ledger(root)
    assert len(ledger.runs) == 13 - 3
    assert [(record.file, record.reason) for record in ledger.damage] == [
        (INDEX_FOLDER, "a link, which is not followed")
    ]
    assert compact_ledger(root).failed == [f"{root}/{INDEX_FOLDER}: a link, which is not followed"]
    assert {path.name: path.stat().st_mtime_ns for path in outside.iterdir()} == states


def test_of_two_rows_of_a_run_the_one_in_the_later_file_counts_whether_that_is_indexed_or_not(root: Path) -> None:
    """The files of a run are in the order of their numbers, and the rows of the index where their files would be."""
    services = {path.parent.name: path for path in files_of_runs(root) if "20250101" in path.name}
    for place, path in enumerate(services.values()):
        run = pq.read_table(path, partitioning=None)
        host = pa.array([f"later-{place}"] * len(run), pa.string())
        name = f"{path.stem}.2.parquet" if place % 2 else "before.parquet"
        pq.write_table(run.set_column(run.column_names.index("host"), "host", host), path.with_name(name))

    runs = open_ledger(root).runs

    pd.testing.assert_frame_equal(runs, read_without(root))
    assert runs["host"].dropna().tolist() == [f"later-{place}" for place in (1, 1, 3, 3, 5, 5)]


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["run", "run", "live", "compact", "delete", "change", "index"]), st.integers(0, 99)),
    min_size=4,
    max_size=14,
)


def take_step(root: Path, step: Step, number: int, live: list[LedgerWriter]) -> None:
    what, choice = step
    service, day = SERVICES[choice % len(SERVICES)], 1 + choice % 2
    files = files_of_runs(root)
    if what == "run":
        write_run(root, service, number, day=day)
    elif what == "live":
        if choice % 3 and live:
            live.pop(choice % len(live)).close(ended=NEW_YEAR + 3 * DAY)
        else:
            live.append(write_run(root, service, number, day=day, is_closed=False))
    elif what == "compact":
        compact_ledger(root)
    elif what == "index":
        index_runs.index_runs(LocalFiles(root))
    elif files and what == "delete":
        files[choice % len(files)].unlink()
    elif files:
        change(files[choice % len(files)], number, keeps_rows=bool(choice % 2))


def change(path: Path, number: int, *, keeps_rows: bool) -> None:
    """Write a file again as another tool does, with other rows, or none, and of another size."""
    rows, size = pq.read_table(path, partitioning=None), path.stat().st_size
    rows = rows if keeps_rows else rows.slice(0, 0)
    hosts = pa.array([f"host-{number}"] * len(rows), pa.string())
    rows = rows.set_column(rows.column_names.index("host"), "host", hosts)
    padding = 4096 * number  # no two changes give a file one size
    pq.write_table(rows.replace_schema_metadata({"padding": "x" * padding}), path)
    assert path.stat().st_size != size


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_comes_and_goes_the_answer_is_that_of_the_files(
    steps: list[Step], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_runs, "MIN_FILES", 2)
    root = tmp_path_factory.mktemp("any") / "ledger"
    live: list[LedgerWriter] = []
    for number, service in enumerate(SERVICES):
        write_run(root, service, number)
    compact_ledger(root)
    for number, step in enumerate(steps, start=len(SERVICES)):
        take_step(root, step, number, live)

        ledger = open_ledger(root)
        pd.testing.assert_frame_equal(ledger.runs, read_without(root))
        assert ledger.damage == []
    for writer in live:
        writer.close(ended=NEW_YEAR + 3 * DAY)
