"""A program that outgrows its budget is started again: agents get its alerts, and what it held is in the ledger."""

import contextlib
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
from alert_servers import Received, find_free_port, serve_agent
from needs import needs_sampler
from processes import running

from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.reports.make_report import report
from memanalysis.response.alerts.inbox import read_inbox
from memanalysis.watcher.supervise import Backoff

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are supervised on Linux")

GROWING = """
import gc, os, sys, time
from pathlib import Path

class Session:
    def __init__(self, size=20_000):
        self.data = bytearray(b"x" * size)

def grow_to(mb):
    while int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") < mb * 2**20:
        sessions.extend(Session() for _ in range(25))

sessions = []
is_first = not Path("started").exists()
Path("started").touch()
gc.disable()
if is_first:  # a cycle that only the cleanup collects
    cycle = [bytearray(b"x" * 30_000_000)]
    cycle.append(cycle)
    del cycle
try:
    for _ in range(12 if is_first else 0):  # around the warning threshold of 200 MB, above and below
        grow_to(193)
        swing = b"x" * 14_000_000
        time.sleep(0.15)
        del swing
        time.sleep(0.15)
    while is_first and not Path("go-on").exists():
        time.sleep(0.02)
    if is_first:
        sessions.append(Session(250_000_000))
        time.sleep(90)
finally:
    print("drained", len(sessions) > 0, flush=True)
sys.exit(0 if is_first else 3)
"""

POLICY = {
    "memory_budgets": {
        "services": {
            "shop": {
                "max_memory_mb": 400,
                "warning_threshold_percent": 50,
                "critical_threshold_percent": 65,
                "metric": "rss",
            }
        }
    },
    "enforcement": {
        "grace_period_seconds": 2,
        "soft_limits": {"action": "alert_and_cleanup"},
        "hard_limits": {"action": "alert_and_restart"},
    },
}
"""The recipients of a warning, critical and emergency are those of the shipped policy."""


def start(
    folder: Path, program: str, policy: dict[str, object], *options: str, errors: Path | None = None
) -> "subprocess.Popen[str]":
    (folder / "shop.py").write_text(textwrap.dedent(program))
    (folder / "policy.yaml").write_text(json.dumps(policy))
    command = [sys.executable, "-m", "memanalysis", "run", "--policy", "policy.yaml", "--interval", "0.1"]
    with contextlib.ExitStack() as files:
        return subprocess.Popen(
            [*command, "--ledger", "ledger", *options, "shop.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors is None else files.enter_context(errors.open("wb")),
            text=True,
        )


def read_events(ledger: Ledger) -> list[tuple[str, str | None]]:
    kinds = ("breach", "alert", "cleanup", "restart")
    events = ledger.events.sort_values("timestamp", kind="stable")
    found = events[events["kind"].isin(kinds)][["kind", "level"]].itertuples(index=False)
    return [(kind, None if pd.isna(level) else level) for kind, level in found]


@pytest.mark.slow
@needs_sampler
def test_a_program_that_outgrows_its_budget_is_restarted_and_nobody_misses_an_alert(tmp_path: Path) -> None:
    """It wobbles around its warning threshold and then passes the others, while one server of an agent is down."""
    port, received, stderr = find_free_port(), Received(), tmp_path / "stderr"
    messaging = {"agent_cards": [f"Agent-4=http://127.0.0.1:{port}"]}
    alerting = {"alerts": {"recipients": {"warning": ["Agent-4", "Agent-5"]}, "messaging": messaging}}
    with running(start(tmp_path, GROWING, POLICY | alerting, "--supervise", errors=stderr)) as process:
        with serve_agent(port, received):
            received.wait_for(1)  # the warning; then the server stops
        (tmp_path / "go-on").touch()
        wait_for_text(stderr, "An alert could not be sent to Agent-4 by messaging", process)
        with serve_agent(port, received):
            output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 3
    assert output == "drained True\ndrained False\n"
    restarted = "the program left to be restarted. It is judged and started again, in 1.0 s at the earliest."
    assert f"memanalysis: {restarted}" in stderr.read_text()
    ledger = open_ledger(tmp_path / "ledger")
    events = read_events(ledger)
    assert next(level for kind, level in events if kind == "breach") == "warning"
    assert [event for event in events if event[0] in ("alert", "restart")] == [
        ("alert", "warning"),
        ("alert", "emergency"),
        ("alert", "critical"),
        ("restart", "critical"),
        ("restart", "info"),
    ]
    alerts = ledger.events.query("kind == 'alert'")
    cues = dict(zip(alerts["level"], (data["cue_id"] for data in alerts["data"]), strict=True))
    inboxes = tmp_path / "ledger" / "agent_workspaces"
    read = {agent: [each.cue_id for each in read_inbox(inboxes, agent)] for agent in ("Agent-4", "Agent-5", "Agent-8")}
    assert {agent: sorted(found) for agent, found in read.items()} == {
        "Agent-4": [],
        "Agent-5": sorted(cues.values()),
        "Agent-8": [cues["emergency"]],
    }
    sent = {data["level"]: data for data in (message["parts"][1]["data"] for message in received.texts())}
    assert {level: data["cue_id"] for level, data in sent.items()} == cues
    assert Path(sent["critical"]["responsible"].split(" ")[0]).name.startswith("shop.py:7"), sent["critical"]
    assert "Freed " in sent["warning"]["done"]
    assert "delivered" in set(ledger.events["kind"])
    assert not any((tmp_path / "ledger" / "undelivered").iterdir())
    cleanup = ledger.events.query("kind == 'cleanup'")["data"].iloc[0]
    left, started = ledger.events.query("kind == 'restart'")["data"]
    freed_mb = cleanup["garbage_collection"]["freed_rss_bytes"] / 1e6
    assert 29 < freed_mb < 46  # the cycle, and the 14 MB of the swing where it goes at the same moment
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


@pytest.mark.slow
def test_a_server_that_drains_on_sigterm_and_ends_with_0_leaves_with_75(tmp_path: Path) -> None:
    """It grows past its budget of 150 MB only once it handles the signal."""
    limits = {"grace_period_seconds": 0, "hard_limits": {"action": "alert_and_restart"}}
    policy = {"memory_budgets": {"services": {"shop": "150MB"}}, "enforcement": limits}
    program = ANSWERS_SIGTERM.replace("until =", 'held = b"x" * 200_000_000\nuntil =')
    with running(start(tmp_path, program, policy)) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, output) == (75, "drained\n")


@pytest.mark.slow
def test_a_program_that_is_over_its_budget_as_it_starts_leaves_in_order(tmp_path: Path) -> None:
    limits = {"grace_period_seconds": 0, "hard_limits": {"action": "alert_and_restart"}}
    program = "import time\ntry:\n    time.sleep(60)\nfinally:\n    print('drained', flush=True)\n"
    with running(start(tmp_path, program, {**TINY, "enforcement": limits}, "--interval", "1")) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 75
    assert output in ("drained\n", "")  # empty where the machine is so slow that the program has not begun


def wait_for_text(path: Path, text: str, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + DEADLINE_S
    while text not in path.read_text():
        assert process.poll() is None, path.read_text()
        assert time.monotonic() < until, path.read_text()
        time.sleep(0.05)


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


ENDS = {
    "os.kill(os.getpid(), 9)": ("gone", -signal.SIGKILL, "was killed by SIGKILL"),
    "os._exit(7)": ("gone", 7, "left with exit code 7 without ending in order, as os._exit() does"),
    "os.kill(os.getpid(), 15)": ("signal", -signal.SIGTERM, "was ended by SIGTERM"),
}


@pytest.mark.parametrize("source", ENDS)
def test_whoever_supervises_notes_the_exit_status_in_the_run(tmp_path: Path, source: str) -> None:
    """A process that is killed can write nothing, and its parent alone is given what ended it."""
    how, status, sentence = ENDS[source]
    program = "import os, time\nfrom pathlib import Path\nwhile not any(Path('ledger').glob('**/samples/*/*')):\n"
    with running(start(tmp_path, f"{program}    time.sleep(0.01)\n{source}\n", TINY, "--supervise")) as process:
        process.communicate(timeout=DEADLINE_S)
        ended = time.time()
    ledger = open_ledger(tmp_path / "ledger")
    ending = ledger.runs["ending"].iloc[0]
    found = json.loads(report(ledger).to_json())["services"][0]["post_mortem"]

    assert process.returncode == status
    assert (ending["how"], ending["exit_status"]) == (how, status)
    if how == "gone":
        assert ending["seen_by"] == "parent"
    assert "os._exit()" not in " ".join(found["next_steps"])  # the status shows which of the two it was
    last_seen, noted = (pd.Timestamp(found[name]).timestamp() for name in ("last_seen", "ended"))
    assert last_seen <= noted <= ended
    assert sentence in report(ledger).headline


UNNOTED = """
import sys
from memanalysis.watcher.supervise import supervise_program
def note(pid, code, started_at):
    raise OSError(f"no space for {code}")
command = [sys.executable, "-c", "raise SystemExit(7)"]
sys.exit(supervise_program(lambda environment: (command, environment), judge=lambda pid: None, note_end=note))
"""


def test_an_end_that_cannot_be_noted_changes_no_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNNOTED], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert done.returncode == 7
    assert done.stderr == "memanalysis: how the program ended could not be noted in its run: OSError: no space for 7\n"


def test_waits_grow_to_five_minutes_and_begin_again_after_a_run_that_lasted() -> None:
    backoff = Backoff()
    waits = [backoff.next_wait_s(lasted_s=1) for _ in range(12)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [backoff.next_wait_s(lasted_s=600), backoff.next_wait_s(lasted_s=1)] == [1, 2]
