"""The index of runs of a bucket saves a request a file, as a real S3 protocol server (moto's) counts them."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, run_row
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from s3_server import make_bucket, serve_s3

from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.paths import INDEX_FOLDER
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

pytestmark = pytest.mark.slow

SERVICES = [f"service-{number:02}" for number in range(12)]
INDEX_NAME = f"{INDEX_FOLDER}/runs-20250101.parquet"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_s3() as address:
        yield address


def write_run(folder: Path, service: str, number: int) -> None:
    run_id = f"20250101T000000Z-{number}-0badcafe"
    LedgerWriter(folder, run=run_row(service, run_id, started=NEW_YEAR + number)).close(ended=NEW_YEAR + 60)


def upload(folder: Path, url: str) -> None:
    system = fsspec.filesystem("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            system.put_file(str(path), f"{url}/{path.relative_to(folder).as_posix()}")


@pytest.fixture
def url(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket with a run of each of twelve services."""
    with make_bucket(server, monkeypatch, tmp_path) as bucket_url:
        for number, service in enumerate(SERVICES):
            write_run(tmp_path / "fleet", service, number)
        upload(tmp_path / "fleet", bucket_url)
        yield bucket_url


class Seen:
    """Files that the server was asked to give."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def read_runs(self, url: str) -> tuple[pd.DataFrame, list[str]]:
        """Return the runs of a ledger, and which of its files were read for that."""
        ledger = open_ledger(url)
        self.paths.clear()
        runs = ledger.runs
        return runs, sorted({path.partition("/ledger/")[2] for path in self.paths})


@pytest.fixture
def seen(server: str, monkeypatch: pytest.MonkeyPatch) -> Seen:
    noted, answer = Seen(), DomainDispatcherApplication.__call__

    def note(self: object, environ: dict[str, str], start_response: object) -> object:
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".parquet"):
            noted.paths.append(environ["PATH_INFO"])
        return answer(self, environ, start_response)  # type: ignore[arg-type]

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", note)
    return noted


def test_an_index_stands_for_the_files_of_its_day(url: str, tmp_path: Path, seen: Seen) -> None:
    """Twelve files are one request then, and one more for each file that came since."""
    expected, read = seen.read_runs(url)
    assert expected["service"].tolist() == SERVICES
    assert len(read) == 12

    assert compact_ledger(url).indexed.sources == 12
    runs, read = seen.read_runs(url)
    assert read == [INDEX_NAME]
    pd.testing.assert_frame_equal(runs, expected)

    write_run(tmp_path / "next", "service-05", 77)
    upload(tmp_path / "next", url)
    runs, read = seen.read_runs(url)
    assert read == [INDEX_NAME, "runs/service_key=service-05/20250101T000000Z-77-0badcafe.parquet"]
    pd.testing.assert_frame_equal(runs.drop(index=6).reset_index(drop=True), expected)


def test_what_is_gone_or_has_another_size_is_not_answered_from_the_index(url: str, seen: Seen) -> None:
    compact_ledger(url)
    system = fsspec.filesystem("s3")
    gone, changed, *_ = system.glob(f"{url}/runs/*/*.parquet")
    system.rm_file(gone)
    system.pipe_file(changed, b"PAR1 no more")

    runs, read = seen.read_runs(url)

    assert runs["service"].tolist() == SERVICES[2:]
    assert read == [INDEX_NAME, changed.partition("/ledger/")[2]]


def test_a_broken_index_in_a_bucket_is_named_and_written_again(url: str, seen: Seen) -> None:
    expected, _ = seen.read_runs(url)
    compact_ledger(url)
    fsspec.filesystem("s3").pipe_file(f"{url}/{INDEX_NAME}", b"PAR1 no more")

    ledger = open_ledger(url)
    pd.testing.assert_frame_equal(ledger.runs, expected)
    assert [record.file for record in ledger.damage] == [INDEX_NAME]

    compact_ledger(url)
    assert seen.read_runs(url)[1] == [INDEX_NAME]


def test_a_folder_that_is_copied_to_a_bucket_takes_its_index_along(url: str, tmp_path: Path, seen: Seen) -> None:
    compact_ledger(tmp_path / "fleet")
    upload(tmp_path / "fleet" / INDEX_FOLDER, f"{url}/{INDEX_FOLDER}")

    runs, read = seen.read_runs(url)

    assert runs["service"].tolist() == SERVICES
    assert read == [INDEX_NAME]
