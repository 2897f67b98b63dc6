"""A ledger behind ``s3://`` loses nothing: tested against a real S3 protocol server (moto's) on the loopback."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row, write_ledger
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from processes import running
from s3_server import make_bucket, serve_s3

from memanalysis.ledger.convert import convert_ledger
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.maintenance.upload_outcome import read_outcome
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.ledger.writing.spool import spool_folder
from memanalysis.schema import TABLES
from memanalysis.verdicts.assess import assess

pytestmark = pytest.mark.slow

WRITE = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
url, run_id, count, then = sys.argv[1:]
writer = LedgerWriter(url, run={"run_id": run_id, "service": "api", "started": 0.0}, segment_bytes=20_000)
for seq in range(int(count)):
    writer.append("samples", [{"seq": seq, "timestamp": float(seq), "rss_bytes": seq}])
print("ready", flush=True)
if then == "wait":
    sys.stdin.read()
writer.close(ended=float(count))
print(sorted({"numpy", "pandas", "pyarrow", "fsspec", "s3fs"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_s3() as address:
        yield address


@pytest.fixture
def url(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(
        "memanalysis.ledger.writing.full_segments.URL_CLOSE_TIMEOUT_S", 120.0
    )  # of writers in this process
    with make_bucket(server, monkeypatch, tmp_path, settings={"AWS_MAX_ATTEMPTS": "1"}) as bucket_url:
        yield bucket_url


def dead_endpoint() -> str:
    """An address of the loopback where nobody answers."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def write(url: str, run_id: str, count: int, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WRITE, url, run_id, str(count), "close"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what the uploading process does, which may outlast the program: that waits for 4.5 s at most."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_uploaded(url: str) -> bool:
    return not waiting(url)


def has_failed(url: str) -> bool:
    outcome = read_outcome(spool_folder(url))
    return outcome is not None and outcome.error is not None


def waiting(url: str) -> list[str]:
    folder = spool_folder(url)
    return sorted(path.name for path in folder.rglob("*") if path.suffix in {".jsonl", ".parquet"})


def test_a_run_is_written_in_pieces_and_read_whole(url: str) -> None:
    """Nothing heavy is loaded in the writing process, and nothing is left behind on this machine."""
    assert write(url, "r", 1000).splitlines() == ["ready", "[]"]
    wait_for(lambda: is_uploaded(url))

    ledger = open_ledger(url)
    assert ledger.samples["rss_bytes"].tolist() == list(range(1000))
    assert ledger.runs["ended"].notna().tolist() == [True]
    assert ledger.damage == []
    assert len(fsspec.filesystem("s3").glob(f"{url}/samples/*/*.parquet")) > 1


def test_a_network_that_fails_delays_the_upload_and_loses_nothing(url: str) -> None:
    write(url, "during", 500, AWS_ENDPOINT_URL=dead_endpoint())
    wait_for(lambda: has_failed(url))
    assert waiting(url)
    assert not fsspec.filesystem("s3").exists(url)

    write(url, "after", 100)
    wait_for(lambda: is_uploaded(url))

    samples = open_ledger(url).samples
    assert samples[samples["run_id"] == "during"]["seq"].tolist() == list(range(500))
    assert samples[samples["run_id"] == "after"]["seq"].tolist() == list(range(100))


def test_what_a_killed_run_left_is_uploaded_by_compact(url: str) -> None:
    with running(
        subprocess.Popen(
            [sys.executable, "-c", WRITE, url, "killed", "30", "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert waiting(url)

    done = compact_ledger(url)

    assert (done.sealed, done.uploaded) == (2, 2)
    ledger = open_ledger(url)
    assert ledger.samples["seq"].tolist() == list(range(30))
    assert ledger.runs["ended"].isna().tolist() == [True]
    assert waiting(url) == []


def test_a_folder_is_converted_there_and_back(url: str, tmp_path: Path) -> None:
    write_ledger(tmp_path / "here", seal=False)

    convert_ledger(tmp_path / "here", url)
    convert_ledger(url, tmp_path / "back")

    for table in TABLES:
        expected = getattr(open_ledger(tmp_path / "here"), table)
        assert getattr(open_ledger(url), table).equals(expected)
        assert getattr(open_ledger(tmp_path / "back"), table).equals(expected)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_a_file_is_converted_there_and_back(url: str, tmp_path: Path, suffix: str) -> None:
    write_ledger(tmp_path / "here", seal=True)

    convert_ledger(tmp_path / "here", url + suffix)
    convert_ledger(url + suffix, tmp_path / f"back{suffix}")

    there, back = open_ledger(url + suffix).samples, open_ledger(tmp_path / f"back{suffix}").samples
    own = ["run_id"] if suffix == ".json" else []  # of a JSON array it is made of the name
    assert there.drop(columns=own).equals(back.drop(columns=own))
    assert len(open_ledger(url + suffix).samples) == 9


def test_retention_drops_files_there(url: str) -> None:
    for day in range(3):
        writer = LedgerWriter(url, run=run_row(run_id=f"day-{day}"))
        writer.append("samples", [sample_row(0, timestamp=NEW_YEAR + day * 86_400)])
        writer.close(ended=NEW_YEAR)
        wait_for(lambda: is_uploaded(url))

    compact_ledger(url, retention=Retention(max_age_days=1.5), now=NEW_YEAR + 2 * 86_400)

    ledger = open_ledger(url)
    assert ledger.samples["run_id"].tolist() == ["day-1", "day-2"]
    assert sorted(ledger.runs["run_id"]) == ["day-1", "day-2"]


def test_a_live_run_can_be_seen_there_and_is_there_once_when_it_ends(url: str) -> None:
    writer = LedgerWriter(url, run=run_row(), segment_bytes=1)
    writer.append("samples", [sample_row(0)])
    writer._full.wait(60)

    ledger = open_ledger(url)
    assert ledger.runs["ended"].isna().tolist() == [True]
    assert ledger.samples["seq"].tolist() == [0]
    writer.close(ended=NEW_YEAR)
    wait_for(lambda: is_uploaded(url))
    assert open_ledger(url).runs["ended"].notna().tolist() == [True]
    assert not fsspec.filesystem("s3").glob(f"{url}/live/runs/*/*.jsonl")


def test_the_recorder_writes_there(url: str) -> None:
    program = f"""
from memanalysis import watch
with watch("api", ledger={url!r}, interval=0.05, trace="off") as recorder:
    recorder.mark("here")
    print(recorder.status().ledger, recorder.status().errors)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout == f"{url} 0\n"
    wait_for(lambda: is_uploaded(url))
    ledger = open_ledger(url)
    assert len(ledger.samples) >= 2
    assert ledger.events["kind"].tolist() == ["start", "mark", "stop"]
    assert ledger.runs["ended"].notna().all()


def test_memory_urls_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMANALYSIS_SPOOL", str(tmp_path))
    writer = LedgerWriter("memory://test-written", run=run_row(), segment_bytes=200)
    for seq in range(5):
        writer.append("samples", [sample_row(seq)])
    writer.close(ended=NEW_YEAR)

    assert open_ledger("memory://test-written").samples["seq"].tolist() == list(range(5))
    fsspec.filesystem("memory").rm("/test-written", recursive=True)


class Requests:
    """What the server was asked for: method, path and query of each request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def count_lists(self) -> int:
        return sum("list-type=2" in query for _, _, query in self.seen)

    def count_reads(self) -> int:
        return sum(method == "GET" and path.endswith(".parquet") for method, path, _ in self.seen)


@pytest.fixture
def requests(server: str, monkeypatch: pytest.MonkeyPatch) -> Requests:
    """The requests from here on, which the server notes."""
    noted, answer = Requests(), DomainDispatcherApplication.__call__

    def note(self: object, environ: dict[str, str], start_response: object) -> object:
        noted.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]))
        return answer(self, environ, start_response)  # type: ignore[arg-type]

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", note)
    return noted


def upload_folder(folder: Path, url: str) -> None:
    system = fsspec.filesystem("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            system.put_file(str(path), f"{url}/{path.relative_to(folder).as_posix()}")


def count_reads_of_runs(n_runs: int, url: str, folder: Path, requests: Requests) -> int:
    """Return the files' reads of `assess` on a ledger of this number of runs of a day, compacted before its upload."""
    for number in range(n_runs):
        writer = LedgerWriter(folder, run=run_row(run_id=f"r{number:02}", started=NEW_YEAR + number))
        writer.append("samples", [sample_row(seq, timestamp=NEW_YEAR + number + seq) for seq in range(3)])
        writer.close(ended=NEW_YEAR + number + 3)
    compact_ledger(folder)
    upload_folder(folder, url)
    requests.seen.clear()
    assert len(assess(url)) == n_runs
    return requests.count_reads()


def test_a_day_of_runs_that_was_compacted_is_read_by_as_many_requests_as_one_run(
    url: str, tmp_path: Path, requests: Requests
) -> None:
    """The rows of a service and day are in one file a table, those of ``runs`` too: no file is read for each run."""
    few, many = (count_reads_of_runs(n, f"{url}-{n}", tmp_path / f"of-{n}", requests) for n in (2, 20))

    assert few == many


def test_files_are_waited_for_together(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers no request for a file before it was asked for four of them."""
    for number in range(4):
        writer = LedgerWriter(tmp_path / "here", run=run_row(f"service-{number}"))
        writer.append("samples", [sample_row(0)])
        writer.close(ended=NEW_YEAR)
    upload_folder(tmp_path / "here", url)
    asked, all_asked, answer = set[str](), threading.Event(), DomainDispatcherApplication.__call__

    def answer_together(self: object, environ: dict[str, str], start_response: object) -> object:
        path = environ["PATH_INFO"]
        if path.endswith(".parquet"):
            asked.add(path)
            if len(asked) == 4:
                all_asked.set()
            assert all_asked.wait(60)
        return answer(self, environ, start_response)  # type: ignore[arg-type]

    ledger = open_ledger(url)
    monkeypatch.setattr(DomainDispatcherApplication, "__call__", answer_together)

    assert ledger.read("runs", columns=["service"])["service"].tolist() == [f"service-{number}" for number in range(4)]
    assert ledger.damage_found == []


def test_a_table_of_many_services_is_listed_at_once_and_a_few_of_them_one_by_one(
    url: str, tmp_path: Path, requests: Requests
):
    """In requests that the server counts: 40 folders of a table take the root, the table and all folders at once."""
    services = [f"service-{number:02}" for number in range(40)]
    rows = pa.table({"run_id": ["r1"], "seq": [0], "elapsed_s": [0.0], "rss_bytes": [1024]})
    pq.write_table(rows, tmp_path / "rows.parquet")
    system, bucket = fsspec.filesystem("s3"), url.removeprefix("s3://")
    for service in services:
        path = f"{bucket}/samples/service_key={service}/r1.parquet"
        system.pipe_file(path, (tmp_path / "rows.parquet").read_bytes())
    system.pipe_file(f"{bucket}/samples/service_key=service-07/x.parquet/odd.txt", b"a folder where a file belongs")
    ledger = open_ledger(url)
    requests.seen.clear()
    sizes = ledger.partitions("samples")
    for_all = requests.count_lists()
    requests.seen.clear()
    few = ledger.read("samples", services=services[:3])
    for_few = requests.count_lists()

    assert sorted(sizes) == [f"service_key={service}" for service in services]
    assert for_all <= 4
    assert for_few <= 3 + 3
    assert sorted(few["service"]) == services[:3]
    assert [
        (record.file, record.reason) for record in open_ledger(url).damage if record.file.endswith("x.parquet")
    ] == [("samples/service_key=service-07/x.parquet", "a folder where a file belongs")]
