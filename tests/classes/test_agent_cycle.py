"""A cycle of an agent: five phases, each tied to memory."""

import json
import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alert_servers import DEADLINE_S, Received, find_free_port, serve_agent

from memanalysis.classes import agent_cycle as module
from memanalysis.classes.agent_cycle import AgentCycle, agent_cycle
from memanalysis.classes.policy_manager import MemoryPolicyManager
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.inbox import read_inbox, write_message

SERVICES = {"planner": "100MB", "reviewer": "100MB"}
PHASES = ["CHECK_INBOX", "EVALUATE_TASKS", "EXECUTE_ROLE", "QUALITY_GATES", "CYCLE_DONE"]


@pytest.fixture(autouse=True)
def delivers_on_a_busy_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_TIMEOUT_S", DEADLINE_S)


def make_manager(folder: Path, **sections: object) -> MemoryPolicyManager:
    policy = {
        "memory_budgets": {"services": SERVICES},
        "leak_detection": {"enabled": False},
        "ledger": {"storage_path": str(folder / "ledger.json")},
        "alerts": {"channels": ["messaging"], "messaging": {"inbox_root": str(folder / "agents")}},
        **sections,
    }
    path = folder / "policy.yaml"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return MemoryPolicyManager(path)


def run_cycle(manager: MemoryPolicyManager, mb: float | None, *, agent: str = "Agent-7"):
    with agent_cycle(manager, "planner", agent=agent, read_mb=lambda: mb) as cycle:
        alerts = cycle.check_inbox()
        status = cycle.evaluate_tasks()
        with cycle.execute_role() as role:
            kept = bytes(2**20)
        gates = cycle.quality_gates()
    del kept
    return cycle, alerts, status, role, gates


def test_the_five_phases_read_check_measure_judge_and_save(tmp_path: Path) -> None:
    alert = Alert("warning", "other", "other grows.", 1e9)
    write_message(tmp_path / "agents", "Agent-7", alert, sender="memanalysis")

    cycle, alerts, status, role, gates = run_cycle(make_manager(tmp_path), 50.0)

    assert cycle.phases == PHASES
    assert alerts == [alert]
    assert (status.check.status, status.others) == ("ok", {})
    assert role.growth_mb == pytest.approx(1.0, abs=0.2)
    assert gates.passed
    assert read_inbox(tmp_path / "agents", "Agent-7") == []
    (entry,) = json.loads((tmp_path / "ledger.json").read_bytes())
    assert entry["service_name"] == "planner"


@pytest.mark.parametrize(
    ("mb", "reason", "notified"),
    [
        (85.0, None, {"Agent-5": 1}),
        (97.0, "planner uses 97.0 MB of 100 MB, and critical begins at 95.0 MB.", {"Agent-4": 1, "Agent-5": 1}),
        (
            120.0,
            "planner uses 120.0 MB of 100 MB, and emergency begins at 100.0 MB.",
            {"Agent-4": 1, "Agent-5": 1, "Agent-8": 1},
        ),
        (None, "The memory of planner is not available, so its budget cannot be checked.", {}),
    ],
)
def test_the_gates_say_what_failed_and_why_and_the_recipients_learn_of_it(
    tmp_path: Path, mb: float | None, reason: str | None, notified: dict[str, int]
) -> None:
    gates = run_cycle(make_manager(tmp_path), mb)[-1]

    assert [failure.reason for failure in gates.failures] == ([] if reason is None else [reason])
    assert bool(gates) is (reason is None)
    agents = ("Agent-4", "Agent-5", "Agent-8")
    counts = {agent: len(read_inbox(tmp_path / "agents", agent)) for agent in agents}
    assert {agent: count for agent, count in counts.items() if count} == notified


@pytest.mark.slow
def test_the_next_cycle_does_not_repeat_the_message_within_the_cooldown(tmp_path: Path) -> None:
    manager = make_manager(tmp_path)
    for _ in range(3):
        assert not run_cycle(manager, 97.0)[-1]

    assert len(read_inbox(tmp_path / "agents", "Agent-4")) == 1


def open_cycle(manager: MemoryPolicyManager, service: str, *, agent: str) -> AgentCycle:
    return agent_cycle(manager, service, agent=agent, read_mb=lambda: 97.0)


def read_senders(folder: Path) -> list[tuple[str, str]]:
    """Service and sender of what waits for the agent that is written to at the critical level alone."""
    return sorted((each.alert.service, each.sender) for each in read_inbox(folder / "agents", "Agent-4"))


@pytest.mark.parametrize("first_to_end", ["Agent-A", "Agent-B"])
def test_cycles_that_overlap_on_one_manager_send_under_their_own_names(tmp_path: Path, first_to_end: str) -> None:
    manager = make_manager(tmp_path)
    one, two = open_cycle(manager, "planner", agent="Agent-A"), open_cycle(manager, "reviewer", agent="Agent-B")
    one.__enter__()
    two.__enter__()
    first, last = (one, two) if first_to_end == "Agent-A" else (two, one)
    first.quality_gates()
    first.__exit__(None, None, None)
    with last.execute_role() as role:
        pass
    last.quality_gates()
    last.__exit__(None, None, None)

    assert read_senders(tmp_path) == [("planner", "Agent-A"), ("reviewer", "Agent-B")]
    assert role.growth_mb is not None
    assert not manager.initialized


def test_cycles_that_overlap_alert_once_of_the_same(tmp_path: Path) -> None:
    manager = make_manager(tmp_path)
    with open_cycle(manager, "planner", agent="Agent-A") as one, open_cycle(manager, "planner", agent="Agent-B") as two:
        one.quality_gates()
        two.quality_gates()

    assert read_senders(tmp_path) == [("planner", "Agent-A")]


def test_an_alert_that_waits_goes_out_with_the_next_cycle_of_its_sender(tmp_path: Path) -> None:
    blocked = tmp_path / "agents" / "Agent-4"
    blocked.parent.mkdir()
    blocked.write_text("no folder")
    with make_manager(tmp_path) as manager:
        run_cycle(manager, 97.0, agent="Agent-A")
        blocked.unlink()
        run_cycle(manager, 10.0, agent="Agent-B")
        before = read_senders(tmp_path)
        run_cycle(manager, 10.0, agent="Agent-A")

    assert before == []
    assert read_senders(tmp_path) == [("planner", "Agent-A")]


@pytest.mark.slow
def test_an_agent_that_does_not_answer_in_time_gets_the_alert_from_the_next_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, received = find_free_port(), Received()
    messaging = {"inbox_root": str(tmp_path / "agents"), "agent_cards": [f"Agent-4=http://127.0.0.1:{port}"]}
    untraced = {"tracemalloc": {"enabled": False}}  # the libraries of the protocol load slowly under tracing
    alerts = {"channels": ["messaging"], "messaging": messaging}
    manager = make_manager(tmp_path, alerts=alerts, monitoring=untraced)
    with socket.create_server(("127.0.0.1", port)), monkeypatch.context() as patch:
        patch.setattr(module, "END_TIMEOUT_S", 0.05)
        run_cycle(manager, 97.0)
        waiting = list((tmp_path / "undelivered" / "Agent-7").iterdir())
    for thread in threading.enumerate():
        if thread.name == "memanalysis-alerts":
            thread.join(DEADLINE_S)
    with serve_agent(port, received):
        run_cycle(manager, 10.0)

    assert waiting
    assert [message["parts"][1]["data"]["sender"] for message in received.texts()] == ["Agent-7"]
    assert list((tmp_path / "undelivered" / "Agent-7").iterdir()) == []


def test_a_channel_that_cannot_act_is_logged_once_for_all_cycles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "a2a.client", None)
    messaging = {"inbox_root": str(tmp_path / "agents"), "agent_cards": ["Agent-4=http://127.0.0.1:9"]}
    manager = make_manager(tmp_path, alerts={"channels": ["messaging"], "messaging": messaging})
    with caplog.at_level(logging.WARNING, logger="memanalysis"):
        for _ in range(2):
            run_cycle(manager, 10.0)

    (record,) = [each for each in caplog.records if "inbox folders" in each.getMessage()]
    assert record.getMessage() == (
        "Agent-7: Messages go to inbox folders alone: alerts.messaging.agent_cards needs a2a-sdk, which is not "
        "installed. Run: pip install 'memanalysis[a2a]'."
    )


def test_gates_and_coordination_can_be_turned_off(tmp_path: Path) -> None:
    off = {"quality_gates": {"enabled": False}, "agent_coordination": {"enabled": False}}
    gates = run_cycle(make_manager(tmp_path, integration=off), 120.0)[-1]

    assert gates.passed
    assert not gates.is_checked
    assert not (tmp_path / "agents").exists()


def test_without_auto_notify_the_gate_fails_and_nobody_gets_a_message(tmp_path: Path) -> None:
    quiet = {"agent_coordination": {"auto_notify": False}}
    gates = run_cycle(make_manager(tmp_path, integration=quiet), 97.0)[-1]

    assert not gates
    assert [read_inbox(tmp_path / "agents", agent) for agent in ("Agent-4", "Agent-5")] == [[], []]


def test_agents_see_how_the_memory_of_the_others_stands(tmp_path: Path) -> None:
    run_cycle(make_manager(tmp_path), 97.0, agent="Agent-1")
    others = run_cycle(make_manager(tmp_path), 10.0, agent="Agent-2")[2].others

    assert list(others) == ["Agent-1"]
    assert (others["Agent-1"]["status"], others["Agent-1"]["current_mb"]) == ("critical", 97.0)


def test_a_role_that_fails_saves_the_ledger_and_leaves_its_messages_unread(tmp_path: Path) -> None:
    write_message(tmp_path / "agents", "Agent-7", Alert("warning", "other", "m", 1e9), sender="memanalysis")
    manager = make_manager(tmp_path)

    cycle = agent_cycle(manager, "planner", agent="Agent-7")

    def fail() -> None:
        with cycle:
            cycle.check_inbox()
            with cycle.execute_role():
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cycle.phases[-1] == "CYCLE_DONE"
    assert len(json.loads((tmp_path / "ledger.json").read_bytes())) == 1
    assert len(read_inbox(tmp_path / "agents", "Agent-7")) == 1
    assert not manager.initialized


@pytest.mark.slow
def test_three_agents_see_to_it_that_one_of_them_stops_growing(tmp_path: Path) -> None:
    """The collector passes its budget in round four, is written to, and drops its notes in round five."""
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis.examples.watching_agents", "--folder", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    collector = [line for line in lines if line.startswith("Agent-5")]

    assert len(lines) == 18
    assert [line.endswith("all gates passed") for line in collector] == [True, True, True, False, True, True]
    assert "Agent-8: 0 alerts, sees over budget: Agent-5; all gates passed" in lines
    assert sum("1 alerts" in line for line in lines) == 2
    assert done.stderr == ""
