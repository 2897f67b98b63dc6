"""The cluster that the Dask engine starts where there is none survives its workers, and leaves nothing behind."""

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest
from pandas.testing import assert_frame_equal

from memanalysis.errors import EngineError
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.dask_engine import DaskEngine

pytestmark = pytest.mark.slow


def test_on_windows_where_dask_starts_no_such_cluster_the_error_shows_what_to_do(
    three_services: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("distributed.compatibility.WINDOWS", True)
    monkeypatch.setattr("distributed.deploy.subprocess.WINDOWS", True)

    with pytest.raises(EngineError) as caught:
        assess(three_services, engine="dask")

    assert str(caught.value) == (
        "engine='dask' needs a cluster, and cannot start one on Windows. Start your own and keep its client open: "
        "'with distributed.Client(n_workers=2):' below 'if __name__ == \"__main__\":'. For the command line run "
        "'dask scheduler' and 'dask worker tcp://127.0.0.1:8786', and add --scheduler tcp://127.0.0.1:8786."
    )


@pytest.mark.slow
def test_a_cluster_of_its_own_survives_a_killed_worker_and_leaves_nothing(
    three_services: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(threading.enumerate())
    program = os.getpid()

    def kill_once(marker: str) -> int:
        """Kill the worker that is the first to come here, as the kernel would for want of memory."""
        assert os.getpid() != program
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return os.getpid()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with DaskEngine(show=lambda text: None, n_workers=1) as engine:
        pids = list(engine.map(kill_once, [str(tmp_path / "killed")] * 3))
        assert program not in pids
        verdicts = assess(three_services, engine=engine)

    assert_frame_equal(verdicts, assess(three_services))
    assert psutil.Process().children(recursive=True) == []
    assert set(threading.enumerate()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["killed"]
