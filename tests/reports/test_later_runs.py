"""A service whose run died and that was started again: the report begins with the death, and names what goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import running

from memanalysis.cli import main
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.reports.make_report import report
from memanalysis.reports.report_tables import verdict_table
from memanalysis.units import MIB

ROOT = Path(__file__).parents[2]
START = 1_750_000_000.0
DAY_S = 86_400.0
KILLED = {"how": "gone", "seen_by": "parent", "exit_status": -9}
OUT_OF_MEMORY = {"how": "gone", "seen_by": "outside", "oom_kills": 1}
TERMINATED = {"how": "signal", "seen_by": "program", "signal": "SIGTERM", "sender_pid": 1}
RETURNED = {"how": "returned", "seen_by": "program"}
RESTARTED = {"how": "returned", "seen_by": "program", "exit_code": 75}
STOPPED = {"how": "stopped", "seen_by": "program"}


def add(path: Path, run_id: str, *, at: float, ending: Mapping[str, Any] | None, service: str = "api") -> None:
    """Add a run of a minute; where it has no ending it goes on."""
    row = {"run_id": run_id, "service": service, "pid": 7, "started": START + at}
    writer = LedgerWriter(path, run=row, flush="manual")
    writer.append(
        "samples",
        [
            {"seq": n, "timestamp": START + at + n, "elapsed_s": float(n), "rss_bytes": (50 + n) * MIB}
            for n in range(61)
        ],
    )
    writer.flush()
    if ending is not None:
        writer.close(ended=START + at + 60, ending=ending, seal=False)


def find_dead_run(path: Path) -> str | None:
    found = report(path).sections[0].post_mortem
    return None if found is None else found.run_id


def test_a_death_before_a_restart_leads_and_names_the_run_that_goes_on(tmp_path: Path) -> None:
    """It died at 2025-06-15 15:07:40 UTC and was started again 12.0 s later."""
    add(tmp_path / "ledger", "dead", at=0, ending=OUT_OF_MEMORY)
    add(tmp_path / "ledger", "alive", at=72, ending=None)
    made = report(tmp_path / "ledger")
    found = made.sections[0].post_mortem

    assert found is not None
    assert found.run_id == made.sections[0].run_id == "dead"
    assert made.title == "Post-mortem of api"
    assert made.headline == f"{found.sentence} {found.later_runs}"
    assert found.sentence.startswith("At 2025-06-15 15:07:40 UTC api (pid 7) was killed by the kernel")
    assert found.later_runs == "It was started again 12.0 s later, as run alive, which goes on as far as is known."
    assert ("Since then", found.later_runs) in found.facts
    assert found.next_steps[-1] == "Check the run since then: memanalysis report LEDGER --run alive"


def test_the_table_marks_the_run_that_has_ended_beside_one_that_goes_on(tmp_path: Path) -> None:
    add(tmp_path / "ledger", "dead", at=0, ending=OUT_OF_MEMORY)
    add(tmp_path / "ledger", "alive", at=72, ending=None)
    add(tmp_path / "ledger", "first", at=0, ending=RETURNED, service="jobs")
    add(tmp_path / "ledger", "second", at=72, ending=RETURNED, service="jobs")
    notes = {row[0].note for row in verdict_table(report(tmp_path / "ledger").verdicts).rows}

    assert notes == {"run dead, ended", "run alive", "run first", "run second"}


def test_the_run_that_goes_on_has_a_page_of_its_own(tmp_path: Path) -> None:
    add(tmp_path / "ledger", "dead", at=0, ending=OUT_OF_MEMORY)
    add(tmp_path / "ledger", "alive", at=72, ending=None)
    made = report(tmp_path / "ledger", run_id="alive")

    assert made.sections[0].run_id == "alive"
    assert made.sections[0].post_mortem is None


@pytest.mark.parametrize(
    ("later", "dead_run"),
    [
        ([None], "first"),
        ([KILLED, None], "1"),
        ([TERMINATED, None], "first"),
        ([STOPPED, None], "first"),
        ([RESTARTED, None], "first"),
        ([RETURNED], None),
        ([RETURNED, None], None),
        ([TERMINATED], "1"),
    ],
    ids=["goes on", "died again", "was stopped", "was let go", "was restarted", "ended in order", "settled", "SIGTERM"],
)
def test_the_newest_abnormal_end_counts_until_a_run_ends_in_order(
    tmp_path: Path, later: list[Mapping[str, Any] | None], dead_run: str | None
) -> None:
    add(tmp_path / "ledger", "first", at=0, ending=KILLED)
    for number, ending in enumerate(later, start=1):
        add(tmp_path / "ledger", str(number), at=100 * number, ending=ending)

    assert find_dead_run(tmp_path / "ledger") == dead_run


@pytest.mark.parametrize("ending", [TERMINATED, RESTARTED], ids=["SIGTERM", "75"])
def test_a_run_that_was_asked_to_end_before_a_restart_is_none(tmp_path: Path, ending: Mapping[str, Any]) -> None:
    add(tmp_path / "ledger", "first", at=0, ending=ending)
    add(tmp_path / "ledger", "alive", at=100, ending=None)

    assert find_dead_run(tmp_path / "ledger") is None


@pytest.mark.parametrize(("days", "dead_run"), [(6.9, "first"), (7.1, None)])
def test_a_death_before_a_restart_leads_for_a_week(tmp_path: Path, days: float, dead_run: str | None) -> None:
    add(tmp_path / "ledger", "first", at=0, ending=KILLED)
    add(tmp_path / "ledger", "alive", at=days * DAY_S, ending=None)

    assert find_dead_run(tmp_path / "ledger") == dead_run


def test_several_starts_are_counted_and_another_service_is_not_among_them(tmp_path: Path) -> None:
    add(tmp_path / "ledger", "dead", at=0, ending=KILLED)
    add(tmp_path / "ledger", "other", at=65, ending=None, service="jobs")
    add(tmp_path / "ledger", "second", at=70, ending=STOPPED)
    add(tmp_path / "ledger", "third", at=200, ending=None)
    found = next(section.post_mortem for section in report(tmp_path / "ledger").sections if section.service == "api")

    assert found is not None
    assert (
        found.later_runs
        == "It was started again 2 times, first 10.0 s later, last as run third, which goes on as far as is known."
    )


def test_assess_names_the_death_below_the_verdict_on_the_run_that_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(tmp_path / "ledger", "dead", at=0, ending=KILLED)
    add(tmp_path / "ledger", "alive", at=DAY_S, ending=None)

    assert main(["assess", str(tmp_path / "ledger")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Died: At 2025-06-15 15:07:40 UTC api (pid 7) was killed by SIGKILL, at 110 MiB" in shown
    assert "It was started again 24.0 h later, as run alive, which goes on as far as is known." in shown
    assert main(["assess", str(tmp_path / "ledger"), "--since", "2025-06-16"]) == 0
    assert "Died" not in capsys.readouterr().out


PROGRAM = """
import os, signal, sys, time
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.05, seal=False)
recorder.start()
held = [bytearray(1024 * 1024) for _ in range(40)]
while recorder.status().ticks < 10:
    time.sleep(0.01)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
print("alive", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ends are found on Linux")
def test_the_default_report_of_a_real_service_that_was_killed_and_started_again_leads_with_the_death(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "program.py"]
    killed = subprocess.run([*command, "die"], cwd=tmp_path, env=environment, timeout=60, check=False)
    assert killed.returncode == -9
    with running(
        subprocess.Popen(
            [*command, "live"], cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        assert main(["report", str(tmp_path / "ledger"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    runs = open_ledger(tmp_path / "ledger").read("runs").sort_values("started")["run_id"].tolist()

    assert made["services"][0]["run_id"] == made["services"][0]["post_mortem"]["run_id"] == runs[0]
    assert made["headline"].endswith(f"later, as run {runs[1]}, which goes on as far as is known.")
