"""``--engine dask --scheduler ADDRESS`` judges on the cluster at that address, and prints the rows of pandas."""

import json
from pathlib import Path

import pytest
from dask_cluster import ANSWER_S, running_cluster
from distributed import Client

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.verdicts.dask_engine import DaskEngine

pytestmark = pytest.mark.slow

SERVICES = 4
"""Of the ledger ``recorded``: each is a part."""


def test_assess_on_the_cluster_of_a_scheduler_prints_the_rows_of_pandas(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers, a process each, have then judged all parts, and the cluster is left as it was."""
    monkeypatch.setattr(DaskEngine, "max_part_bytes", 1)
    assert main(["assess", str(recorded), "--all", "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)

    with running_cluster(tmp_path, processes=True) as (_, address):
        command = ["assess", str(recorded), "--engine", "dask", "--scheduler", address]
        assert main([*command, "--all", "--json"]) == 0
        printed = capsys.readouterr().out
        with Client(address, timeout=ANSWER_S, set_as_default=False) as client:
            judged = client.run(lambda dask_worker: dask_worker.state.executed_count)

    assert len(expected) == SERVICES
    assert json.loads(printed) == expected
    assert (len(judged), sum(judged.values())) == (2, SERVICES)


def test_a_scheduler_without_its_engine_is_refused(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(recorded), "--scheduler", "tcp://127.0.0.1:9"]) == EXIT_ERROR
    assert "--scheduler needs --engine dask." in capsys.readouterr().err
