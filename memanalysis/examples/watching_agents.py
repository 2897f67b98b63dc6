"""Three agents that watch each other: one of them collects notes without end, and the others see to it that it stops.

``python -m memanalysis.examples.watching_agents --folder DIR`` runs some rounds and prints what each agent did.
"""

import argparse
import json
from pathlib import Path

import memanalysis
from memanalysis.units import MIB

AGENTS = {"Agent-4": "reviewer", "Agent-5": "collector", "Agent-8": "captain"}
"""Each agent and its service."""

NOTE_BYTES = 256 * 1024
ROUNDS = 6

POLICY = {
    "memory_budgets": {"services": dict.fromkeys(AGENTS.values(), "1MB")},
    "leak_detection": {"enabled": False},
    "alerts": {"channels": ["messaging"]},
}


class Agent:
    """One agent: its notes are what it holds, and who is over its budget drops them when it is written to."""

    def __init__(self, name: str, manager: memanalysis.MemoryPolicyManager) -> None:
        self.name = name
        self.service = AGENTS[name]
        self._manager = manager
        self._notes: list[bytes] = []

    def size_mb(self) -> float:
        """Return the MB of its notes."""
        return sum(map(len, self._notes)) / MIB

    def run(self) -> str:
        """Run one cycle, and return a line about it."""
        with memanalysis.agent_cycle(self._manager, self.service, agent=self.name, read_mb=self.size_mb) as cycle:
            alerts = cycle.check_inbox()
            if any(alert.service == self.service and alert.level != "warning" for alert in alerts):
                self._notes.clear()
            status = cycle.evaluate_tasks()
            over = [name for name, other in status.others.items() if other["status"] == "critical"]
            with cycle.execute_role():
                if self.service == "collector":
                    self._notes.append(bytes(NOTE_BYTES))
            gates = cycle.quality_gates()
        done = "; ".join(failure.reason for failure in gates.failures) or "all gates passed"
        return f"{self.name}: {len(alerts)} alerts, sees over budget: {', '.join(over) or 'nobody'}; {done}"


def main() -> None:
    """Run the three agents in turn."""
    parser = argparse.ArgumentParser(description="Three agents that watch each other's memory.")
    parser.add_argument("--folder", type=Path, default=Path("memanalysis-agents"), help="where inboxes and ledger are")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    policy = {**POLICY, "ledger": {"storage_path": str(folder / "ledger.json")}}
    policy["alerts"] = {"channels": ["messaging"], "messaging": {"inbox_root": str(folder / "agents")}}
    (folder / "policy.yaml").write_text(json.dumps(policy), encoding="utf-8")
    with memanalysis.MemoryPolicyManager(folder / "policy.yaml") as manager:
        agents = [Agent(name, manager) for name in AGENTS]
        for _ in range(ROUNDS):
            for agent in agents:
                print(agent.run())


if __name__ == "__main__":
    main()
