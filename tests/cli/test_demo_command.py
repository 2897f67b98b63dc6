"""The demo as a newcomer runs it: real programs in processes of their own."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import running
from pseudo_terminal import remove_escapes, run_in_terminal

from memanalysis import assess, open_ledger
from memanalysis.cli import main
from memanalysis.cli.demo_command import POLICY
from memanalysis.examples import SCENARIOS
from memanalysis.policy.loader import read_policy

pytestmark = pytest.mark.slow

DEMO = [sys.executable, "-m", "memanalysis", "demo"]
PLAIN = os.environ | {"COLUMNS": "80"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One demo of thirteen seconds, and where it wrote."""
    out = tmp_path_factory.mktemp("demo")
    command = [*DEMO, "--seconds", "13", "--out", str(out)]
    return out, subprocess.run(command, env=PLAIN, capture_output=True, text=True, timeout=180, check=False)


Shown = tuple[Path, "subprocess.CompletedProcess[str]"]


def test_only_the_leak_is_a_leak_and_its_line_is_the_right_one(shown: Shown) -> None:
    out, demo = shown
    assert (demo.returncode, demo.stderr) == (0, "")
    verdicts = assess(out / "ledger", policy=POLICY).set_index("service")

    assert set(verdicts.index) == set(SCENARIOS)
    for name, scenario in SCENARIOS.items():
        assert verdicts.loc[name, "is_leak"] == scenario.is_leak, verdicts.loc[name, "sentence"]
        if scenario.is_leak:
            assert verdicts.loc[name, "responsible_line"] == scenario.find_leaking_line()
            assert Path(verdicts.loc[name, "responsible_file"]).name == scenario.file.name


def test_the_table_says_it_in_80_columns(shown: Shown) -> None:
    _, demo = shown
    lines = demo.stdout.splitlines()
    leaking = SCENARIOS["leaky_service"].find_leaking_line()

    assert [line for line in lines if len(line) > 80 and "/" not in line] == []
    at = next(number for number, line in enumerate(lines) if line.startswith("leaky_service "))
    assert lines[at].split()[1:3] == ["growing", "yes"]
    assert lines[at + 1].split()[0].endswith(f"/leaky_service.py:{leaking}")


def test_it_writes_ledger_and_report_and_says_where_and_what_next(shown: Shown) -> None:
    out, demo = shown
    ledger = open_ledger(out / "ledger")

    assert len(ledger.runs) == 3
    assert f"Rows: runs 3, samples {len(ledger.samples)}," in " ".join(demo.stdout.split())
    assert f"Report    {out / 'report.html'}" in demo.stdout
    assert f"memanalysis assess {out / 'ledger'}" in demo.stdout
    assert "leaky_service.py" in (out / "report.html").read_text(encoding="utf-8")


def test_every_program_has_a_budget() -> None:
    policy = read_policy(POLICY)

    assert all(policy.budget_for(name).max_memory_mb <= 512 for name in SCENARIOS)


def test_a_second_demo_replaces_the_ledger_of_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", "--seconds", "2", "--scenario", "batch_job", "--out", str(tmp_path)]

    assert main(arguments) == 0
    first = open_ledger(tmp_path / "ledger").runs["run_id"].item()
    assert main(arguments) == 0
    assert open_ledger(tmp_path / "ledger").runs["run_id"].item() != first
    assert "Recording 1 program for 2 s: batch_job" in capsys.readouterr().out


def test_a_ledger_that_no_demo_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "ledger" / "live" / "samples" / "service_key=mine" / "a.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}\n")

    assert main(["demo", "--seconds", "2", "--out", str(tmp_path)]) == 2
    (tmp_path / ".memanalysis-demo").write_text("")
    assert main(["demo", "--seconds", "2", "--out", str(tmp_path)]) == 2
    assert kept.read_text() == "{}\n"
    sentence = (
        f"memanalysis: error: memanalysis demo needs a directory of its own, but {tmp_path / 'ledger'} holds a ledger "
    )
    assert capsys.readouterr().err.startswith(sentence)


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    ledger = tmp_path / "file" / "ledger"
    assert capsys.readouterr().err == (
        f"memanalysis: error: memanalysis demo needs a directory it can write, but {ledger} cannot be: "
        f"{os.strerror(errno.ENOTDIR)}. Pass another directory with --out.\n"
    )


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "inf", "soon"])
def test_seconds_that_are_none_are_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", f"--seconds={seconds}"]) == 2
    assert f"needs seconds, 2 or more, but got '{seconds}'" in capsys.readouterr().err


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--scenario", "nightly"]) == 2
    assert "'nightly' is not one of 'leaky_service', 'warming_cache', 'batch_job'." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals to one process are POSIX")
def test_ctrl_c_stops_the_programs_too(tmp_path: Path) -> None:
    with running(
        subprocess.Popen(
            [*DEMO, "--seconds", "60", "--out", str(tmp_path)],
            env=PLAIN,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    ) as demo:
        children = _wait_for_children(demo.pid, 3)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)

    assert demo.returncode == 130
    assert errors == b"\nmemanalysis: stopped\n"
    assert not any(child.is_running() for child in children)


def _wait_for_children(pid: int, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = psutil.Process(pid).children()
        if len(children) == count:
            return children
        time.sleep(0.05)
    raise AssertionError("the demo started no programs")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_a_terminal_sees_time_and_memory_and_nothing_of_it_stays(tmp_path: Path) -> None:
    done = run_in_terminal("demo", "--seconds", "2", "--scenario", "batch_job", "--out", str(tmp_path))
    drawn = remove_escapes(done.errors)

    assert done.code == 0
    assert re.search(r"time +[━╸╺]+ +1 of 2 s", drawn)
    assert re.search(r"batch_job +[━╸╺]+ +\d+ MiB, budget 128 MiB", drawn)
    assert max(map(len, drawn.splitlines())) <= 80
    assert done.errors.endswith("\x1b[2K")
    assert "time " not in remove_escapes(done.output).partition("\n\n")[0]


def test_a_pipe_gets_no_escape_codes_and_no_progress(shown: Shown) -> None:
    _, demo = shown

    assert "\x1b" not in demo.stdout
    assert demo.stderr == ""
