"""What a Dask cluster loses while it judges a ledger: a worker changes nothing, and the scheduler is a clear error."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from dask_cluster import ANSWER_S, running_cluster
from distributed import Client
from distributed.diagnostics.plugin import WorkerPlugin
from ledger_makers import LedgerMaker
from pandas.testing import assert_frame_equal

from memanalysis.errors import EngineError
from memanalysis.units import MIB
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.dask_engine import DaskEngine

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.slow

SERVICES = 12
"""Each is a part of its own."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of services that grow, each faster than the one before it; read only."""
    maker = LedgerMaker(tmp_path_factory.mktemp("services") / "ledger")
    for number in range(SERVICES):
        maker.add(f"service-{number:02d}", lambda at, number=number: (40 + number * at / 10) * MIB)
    return maker.path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    monkeypatch.setattr(DaskEngine, "max_part_bytes", 1)
    with running_cluster(tmp_path, processes=True) as started:
        yield started


def make_killer(marker: Path) -> WorkerPlugin:
    """Return a plugin that kills the first worker which has judged a part and begins the next, in its middle."""

    class Killer(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            self.finished = 0

        def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
            self.finished += finish == "memory"
            if finish != "executing" or not self.finished:
                return
            try:
                descriptor = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                return
            os.write(descriptor, str(os.getpid()).encode())
            psutil.Process().kill()

    return Killer()


def test_a_worker_killed_in_the_middle_of_a_part_changes_nothing(
    cluster: tuple["subprocess.Popen[str]", str], services: Path, tmp_path: Path
):
    """The frame is that of pandas, though a worker is killed that holds the verdict on a part and judges another."""
    shown: list[str] = []
    with Client(cluster[1], timeout=ANSWER_S) as client:
        workers = set(client.run(os.getpid).values())
        client.register_plugin(make_killer(tmp_path / "killed"))

        verdicts = assess(services, engine=DaskEngine(show=shown.append))

        killed = int((tmp_path / "killed").read_text())
        assert killed in workers
        assert killed not in client.run(os.getpid).values()
    assert shown[-1].startswith(f"Dask: {SERVICES} of {SERVICES} parts")
    assert_frame_equal(verdicts, assess(services))


def test_a_scheduler_killed_between_two_parts_is_an_error_that_names_it_and_what_to_do(
    cluster: tuple["subprocess.Popen[str]", str], services: Path
):
    process, address = cluster
    with Client(address, timeout=ANSWER_S, set_as_default=False) as client:
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]

    def kill_scheduler(text: str) -> None:
        if text.startswith(f"Dask: 1 of {SERVICES} parts"):
            process.kill()
            process.wait(ANSWER_S)

    with pytest.raises(EngineError) as caught:
        assess(services, engine=DaskEngine(address, show=kill_scheduler))

    assert str(caught.value) == (
        f"engine='dask' needs its cluster, but the scheduler at {address} went away, or dropped the work. "
        "Start it again, and repeat the call."
    )
    assert psutil.wait_procs(workers, timeout=ANSWER_S)[1] == []
