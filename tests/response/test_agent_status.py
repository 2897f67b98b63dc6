"""Agents read from each other how their memory stands, and never from themselves or from a broken file."""

from pathlib import Path

from memanalysis.policy.enforcer import check_budget
from memanalysis.policy.model import parse_policy
from memanalysis.response.agent_status import read_other_agents, write_agent_status
from memanalysis.response.alerts.inbox import inbox_folder

POLICY = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}})


def write(root: Path, agent: str, current_mb: float | None, timestamp: float = 5.0) -> None:
    write_agent_status(root, agent, check=check_budget(POLICY, "api", current_mb), timestamp=timestamp)


def test_the_others_are_read_and_not_oneself(tmp_path: Path) -> None:
    write(tmp_path, "Agent-1", 40.0)
    write(tmp_path, "Agent-2", None)

    assert set(read_other_agents(tmp_path, "Agent-1")) == {"Agent-2"}
    assert read_other_agents(tmp_path, "Agent-2") == {
        "Agent-1": {
            "agent": "Agent-1",
            "timestamp": 5.0,
            "service": "api",
            "status": "ok",
            "current_mb": 40.0,
            "budget_mb": 100.0,
        }
    }
    assert read_other_agents(tmp_path, "Agent-1")["Agent-2"]["current_mb"] is None


def test_the_last_word_counts(tmp_path: Path) -> None:
    write(tmp_path, "Agent-1", 40.0)
    write(tmp_path, "Agent-1", 50.0, timestamp=6.0)

    assert read_other_agents(tmp_path, "Agent-2")["Agent-1"]["current_mb"] == 50.0


def test_a_broken_file_and_a_missing_folder_hide_nobody_else(tmp_path: Path) -> None:
    write(tmp_path, "Agent-1", 40.0)
    for agent, content in {"broken": b"\xff{", "list": b"[]", "nameless": b"{}"}.items():
        folder = inbox_folder(tmp_path, agent).parent
        folder.mkdir(parents=True)
        (folder / "memory_status.json").write_bytes(content)
    (tmp_path / "a file").write_text("no folder")

    assert set(read_other_agents(tmp_path, "Agent-9")) == {"Agent-1"}
    assert read_other_agents(tmp_path / "gone", "Agent-9") == {}
