"""A ledger judged on a Dask cluster gives the frame of the pandas engine, and errors that show what to do."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import ANSWER_S, running_cluster
from distributed import Client
from pandas.testing import assert_frame_equal

from memanalysis.errors import EngineError, InvalidArgumentError, LedgerNotFoundError, MissingDependencyError
from memanalysis.reports.make_report import report
from memanalysis.reports.trend_report import trend
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.compare import compare
from memanalysis.verdicts.dask_engine import DaskEngine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        running_cluster(tmp_path_factory.mktemp("cluster")) as (_, address),
        Client(address, timeout=ANSWER_S) as client,
    ):
        yield client


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DaskEngine, "max_part_bytes", 1)


@pytest.mark.usefixtures("small_parts")
def test_the_client_that_a_process_has_gives_the_frame_of_pandas(client: Client, three_services: Path):
    shown: list[str] = []

    assert_frame_equal(assess(three_services, engine=DaskEngine(show=shown.append)), assess(three_services))
    assert shown[0].startswith(f"Dask at {client.scheduler.address}")
    assert shown[-1].startswith("Dask: 3 of 3 parts")
    assert client.status == "running"


@pytest.mark.usefixtures("client", "small_parts")
def test_a_report_by_dask_has_the_verdicts_and_the_sections_of_pandas(three_services: Path):
    made = report(three_services, engine="dask")

    assert made.to_json() == report(three_services).to_json()


@pytest.mark.usefixtures("client", "small_parts")
def test_a_comparison_and_a_trend_by_dask_are_those_of_pandas(three_services: Path):
    assert_frame_equal(compare(three_services, three_services, engine="dask"), compare(three_services, three_services))
    assert trend(three_services, weeks=1, engine="dask").to_json() == trend(three_services, weeks=1).to_json()


@pytest.mark.usefixtures("client", "small_parts")
def test_one_corrupt_file_is_named_and_the_rest_is_judged(three_services: Path, tmp_path: Path):
    copy = shutil.copytree(three_services, tmp_path / "ledger")
    broken = next((copy / "samples" / "service_key=warming_cache").iterdir())
    broken.write_bytes(b"PAR1 no more")

    verdicts = assess(copy, engine="dask")

    assert verdicts["service"].tolist() == ["leaking_registry", "swinging_batch", "warming_cache"]
    assert verdicts["shape"].iloc[2] == "unreadable"
    assert broken.name in verdicts["sentence"].iloc[2]
    assert_frame_equal(verdicts, assess(copy))


@pytest.mark.usefixtures("client")
def test_what_is_not_there_is_the_error_of_the_pandas_engine(tmp_path: Path):
    with pytest.raises(LedgerNotFoundError, match="nothing is at"):
        assess(tmp_path / "gone", engine="dask")


@pytest.mark.usefixtures("client")
def test_what_a_worker_raises_is_named():
    with DaskEngine(show=lambda text: None) as engine, pytest.raises(EngineError, match="one raised ZeroDivisionError"):
        engine.map(lambda number: 1 // number, [1, 0])


def test_no_scheduler_at_the_address_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, three_services: Path):
    monkeypatch.setattr("memanalysis.verdicts.dask_engine.CONNECT_TIMEOUT_S", 0.5)

    with pytest.raises(EngineError, match=r"needs a scheduler at tcp://127\.0\.0\.1:9, but cannot reach one"):
        assess(three_services, engine=DaskEngine("tcp://127.0.0.1:9"))


def test_without_dask_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch, three_services: Path):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(MissingDependencyError, match=r"pip install 'memanalysis\[fleet\]'"):
        assess(three_services, engine="dask")


def test_an_engine_that_there_is_not_is_refused(three_services: Path):
    with pytest.raises(InvalidArgumentError, match="'pandas', 'dask', but got 'spark'"):
        assess(three_services, engine="spark")  # type: ignore[arg-type]
