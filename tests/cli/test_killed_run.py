"""What is known of a plain ``memanalysis run`` that was killed: its process became the program, so nobody waited."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.reports.make_report import report

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="ends are found on Linux")]

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100.0
PROGRAM = """
import os, sys, time
from pathlib import Path
while not any(Path("ledger").glob("**/samples/*/*")):
    time.sleep(0.01)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
if sys.argv[1] == "exit":
    os._exit(0)
"""
KNOWN = "ended at once, by SIGKILL from outside or by os._exit()"


def run(folder: Path, how: str) -> int:
    (folder / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "memanalysis",
        "run",
        "--interval",
        "0.05",
        "--ledger",
        "ledger",
        "program.py",
        how,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(subprocess.Popen(command, cwd=folder, env=environment)) as process:
        return process.wait(DEADLINE_S)


@pytest.mark.parametrize(("how", "status"), [("kill", -signal.SIGKILL), ("exit", 0)])
def test_a_reader_and_the_next_start_state_that_it_is_gone_and_claim_no_more(
    tmp_path: Path, how: str, status: int
) -> None:
    """The two ends leave the same traces, so neither is named alone; whoever started the command has the status."""
    assert run(tmp_path, how) == status
    found = report(tmp_path / "ledger").headline
    before = open_ledger(tmp_path / "ledger").runs["ending"].tolist()
    assert run(tmp_path, "return") == 0
    runs = open_ledger(tmp_path / "ledger").runs.sort_values("started")

    assert KNOWN in found
    assert before == [None]
    first, second = runs["ending"]
    assert (first["how"], first["seen_by"], "exit_status" in first) == ("gone", "outside", False)
    assert second["how"] == "returned"
    assert report(tmp_path / "ledger").sections[0].post_mortem is None
    assert KNOWN in report(tmp_path / "ledger", run_id=runs["run_id"].iloc[0]).headline
    assert report(tmp_path / "ledger", run_id=runs["run_id"].iloc[1]).sections[0].post_mortem is None


def test_the_report_on_an_earlier_run_is_asked_for_by_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "kill")
    run(tmp_path, "return")
    ledger = str(tmp_path / "ledger")
    dead = open_ledger(ledger).runs.sort_values("started")["run_id"].iloc[0]

    assert main(["report", ledger, "--run", dead, "--format", "markdown"]) == 0
    assert KNOWN in capsys.readouterr().out.replace("\\", "")
    assert main(["report", ledger, "--run", "none"]) == EXIT_ERROR
    assert "but it holds no none. " in capsys.readouterr().err
