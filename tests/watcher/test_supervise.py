"""A program that outgrows its budget is alerted, cleaned up and started again, and what it held is in the ledger."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest
from processes import running

from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.watcher.supervise import Backoff

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are supervised on Linux")

GROWING = """
import os, sys, time
from pathlib import Path

class Session:
    def __init__(self):
        self.data = bytearray(b"x" * 20_000)

sessions = []
is_first = not Path("started").exists()
Path("started").touch()
try:
    until = time.monotonic() + 90
    while is_first and time.monotonic() < until:
        sessions.extend(Session() for _ in range(25))
        time.sleep(0.02)
finally:
    print("drained", len(sessions) > 0, flush=True)
sys.exit(0 if is_first else 3)
"""

POLICY = {
    "memory_budgets": {
        "services": {"shop": {"max_memory_mb": 150, "warning_threshold_percent": 50, "critical_threshold_percent": 65}}
    },
    "enforcement": {
        "grace_period_seconds": 0.5,
        "soft_limits": {"action": "alert_and_cleanup"},
        "hard_limits": {"action": "alert_and_restart"},
    },
}


def start(folder: Path, program: str, policy: dict[str, object], *options: str) -> "subprocess.Popen[str]":
    (folder / "shop.py").write_text(textwrap.dedent(program))
    (folder / "policy.yaml").write_text(json.dumps(policy))
    command = [sys.executable, "-m", "memanalysis", "run", "--policy", "policy.yaml", "--interval", "0.1"]
    return subprocess.Popen(
        [*command, "--ledger", "ledger", *options, "shop.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_events(ledger: Ledger) -> list[tuple[str, str | None]]:
    kinds = ("breach", "alert", "cleanup", "restart")
    events = ledger.events.sort_values("timestamp", kind="stable")
    found = events[events["kind"].isin(kinds)][["kind", "level"]].itertuples(index=False)
    return [(kind, None if pd.isna(level) else level) for kind, level in found]


@pytest.mark.slow
def test_a_program_that_outgrows_its_budget_is_restarted_and_its_evidence_is_kept(tmp_path: Path) -> None:
    with running(start(tmp_path, GROWING, POLICY, "--supervise")) as process:
        output, errors = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 3
    assert output == "drained True\ndrained False\n"
    assert "memanalysis: the program left to be restarted. It is started again in 1.0 s." in errors
    ledger = open_ledger(tmp_path / "ledger")
    events = [event for event in read_events(ledger) if event != ("breach", "emergency")]
    assert [event for event in events if event[0] != "alert" or event[1] != "emergency"] == [
        ("breach", "warning"),
        ("alert", "warning"),
        ("cleanup", None),
        ("breach", "critical"),
        ("alert", "critical"),
        ("restart", "critical"),
        ("restart", "info"),
    ]
    cleanup, left, started = ledger.events[ledger.events["kind"].isin(("cleanup", "restart"))]["data"]
    assert cleanup["garbage_collection"]["freed_rss_bytes"] is not None
    assert left["exit_code"] == 75
    assert (started["number"], started["exit_code"], started["verdict"]["service"]) == (1, 75, "shop")
    first, second = ledger.runs.sort_values("started")["run_id"]
    assert f"-{started['pid']}-" in first
    holders = ledger.events.query("kind == 'holders' and run_id == @first")["message"].tolist()
    assert any("Session" in message and "sessions" in message for message in holders), ledger.events["message"].tolist()
    sites = ledger.sites.query("run_id == @first")
    largest = sites[sites["seq"] == sites["seq"].max()].nlargest(1, "size_bytes").iloc[0]
    assert (Path(largest["file"]).name, largest["line"]) == ("shop.py", 7)
    assert ledger.runs.set_index("run_id").loc[second, "ended"] is not pd.NaT


ANSWERS_SIGTERM = """
import signal, time
from pathlib import Path
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
Path("started").touch()
until = time.monotonic() + 90
while not stopping and time.monotonic() < until:
    time.sleep(0.01)
print("drained", flush=True)
"""

TINY = {"memory_budgets": {"services": {"shop": "1MB"}}, "enforcement": {"grace_period_seconds": 0}}


def test_a_server_that_drains_on_sigterm_and_ends_with_0_leaves_with_75(tmp_path: Path) -> None:
    """It grows past its budget of 150 MB only once it handles the signal."""
    limits = {"grace_period_seconds": 0, "hard_limits": {"action": "alert_and_restart"}}
    policy = {"memory_budgets": {"services": {"shop": "150MB"}}, "enforcement": limits}
    program = ANSWERS_SIGTERM.replace("until =", 'held = b"x" * 200_000_000\nuntil =')
    with running(start(tmp_path, program, policy)) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, output) == (75, "drained\n")


def test_a_program_that_is_over_its_budget_as_it_starts_leaves_in_order(tmp_path: Path) -> None:
    limits = {"grace_period_seconds": 0, "hard_limits": {"action": "alert_and_restart"}}
    program = "import time\ntry:\n    time.sleep(60)\nfinally:\n    print('drained', flush=True)\n"
    with running(start(tmp_path, program, {**TINY, "enforcement": limits}, "--interval", "1")) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 75
    assert output in ("drained\n", "")  # empty where the machine is so slow that the program has not begun


def wait_for_file(path: Path) -> None:
    until = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} did not come"
        time.sleep(0.02)


def test_whoever_supervises_passes_signals_on_and_starts_nothing_again(tmp_path: Path) -> None:
    program = ANSWERS_SIGTERM + "raise SystemExit(75)\n"
    with running(start(tmp_path, program, TINY, "--supervise")) as process:
        wait_for_file(tmp_path / "started")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, output) == (75, "drained\n")


@pytest.mark.parametrize(
    ("program", "code"), [("raise SystemExit(7)", 7), ("import os\nos.kill(os.getpid(), 9)", -signal.SIGKILL)]
)
def test_whoever_supervises_ends_as_the_program_ends(tmp_path: Path, program: str, code: int) -> None:
    with running(start(tmp_path, program, TINY, "--supervise")) as process:
        process.communicate(timeout=DEADLINE_S)

    assert process.returncode == code


def test_waits_grow_to_five_minutes_and_begin_again_after_a_run_that_lasted() -> None:
    backoff = Backoff()
    waits = [backoff.next_wait_s(lasted_s=1) for _ in range(12)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [backoff.next_wait_s(lasted_s=600), backoff.next_wait_s(lasted_s=1)] == [1, 2]
