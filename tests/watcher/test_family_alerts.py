"""A budget of a family or a container is alerted once, whichever of its processes sees it first, or dies of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.response.alerts.inbox import read_inbox
from memanalysis.watcher.alert_group import find_alert_group, note_family

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0

POLICY = {
    "memory_budgets": {"services": {"shop": {"max_memory_mb": 150, "metric": "family"}}},
    "leak_detection": {"enabled": False},
    "enforcement": {"grace_period_seconds": 3600},
    "alerts": {
        "channels": ["messaging"],
        "recipients": {"warning": ["Agent-5"], "critical": [], "emergency": ["Agent-5"]},
    },
}

POOL = """
import multiprocessing, os, signal, sys, time
from pathlib import Path

def have_alerted(number):
    '''Whether that number of processes have written that the budget is broken, and both alerts have arrived.'''
    files = Path("ledger").glob("**/events/*/*.jsonl")
    messages = [*Path("ledger/agent_workspaces").glob("*/inbox/*.md")]
    return len(messages) >= 2 and sum('"emergency"' in file.read_text() for file in files) >= number

def work(is_killed):
    held = bytearray(b"x" * (200 << 20))
    until = time.monotonic() + 60
    while not have_alerted(3) and time.monotonic() < until:
        time.sleep(0.1)
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    workers = [context.Process(target=work, args=(number == 0,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_that_breaks_the_budget_of_its_family_is_alerted_once_a_level(tmp_path: Path, method: str) -> None:
    """Each of two workers holds more than the budget of both and their parent, and one of them is killed."""
    (tmp_path / "policy.yaml").write_text(json.dumps(POLICY))
    (tmp_path / "pool.py").write_text(POOL)
    command = [sys.executable, "-m", "memanalysis", "run", "--policy", "policy.yaml", "--interval", "0.1"]
    options = ["--ledger", "ledger", "--service", "shop", "--trace", "off", "pool.py", method]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(subprocess.Popen([*command, *options], cwd=tmp_path, env=environment)) as process:
        assert process.wait(DEADLINE_S) == 0

    messages = read_inbox(tmp_path / "ledger" / "agent_workspaces", "Agent-5")
    assert sorted(message.alert.level for message in messages) == ["emergency", "warning"]
    events = open_ledger(tmp_path / "ledger").events
    assert sorted(events.loc[events["kind"] == "alert", "level"]) == ["emergency", "warning"]
    breaking = events[(events["kind"] == "breach") & (events["level"] == "emergency")]
    assert breaking["run_id"].nunique() == 3


def test_processes_of_one_family_are_one_group_and_resident_memory_is_of_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = find_alert_group("test-group", "family")
    note_family("test-group", 1)
    note_family("test-group", 2)

    assert find_alert_group("test-group", "auto") != alone
    assert find_alert_group("test-group", "auto").endswith(" 1")
    assert find_alert_group("test-group", "rss") == alone
    monkeypatch.setenv("MEMANALYSIS_RUN", "12345 0.1 {}")
    assert find_alert_group("test-group", "auto").endswith(" 12345")
    assert find_alert_group("test-group", "private") == alone


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="cgroups are Linux's")
def test_processes_of_one_container_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    here = find_alert_group("api", "container")
    monkeypatch.setenv("MEMANALYSIS_RUN", "12345 0.1 {}")

    assert find_alert_group("api", "container") == here
