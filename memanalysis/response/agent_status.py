"""How does the memory of the other agents stand? Each leaves a file of its own where the others look."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from memanalysis._atomic import write_atomic
from memanalysis.policy.enforcer import BudgetCheck
from memanalysis.response.alerts.inbox import inbox_folder

__all__ = ["read_other_agents", "write_agent_status"]

_STATUS_FILE = "memory_status.json"


def write_agent_status(root: Path, agent: str, *, check: BudgetCheck, timestamp: float) -> None:
    """Write how the memory of an agent stands, beside its inbox."""
    folder = inbox_folder(root, agent).parent
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "agent": agent,
        "timestamp": timestamp,
        "budget_mb": check.budget_mb,
        "service": check.service,
        "status": check.status,
        "current_mb": check.current_mb,
    }
    write_atomic(folder / _STATUS_FILE, json.dumps(content).encode())


def read_other_agents(root: Path, agent: str) -> dict[str, dict[str, Any]]:
    """Return what the other agents last wrote, by name; a file that cannot be read is passed over."""
    found = {}
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        with suppress(OSError, ValueError, KeyError, TypeError):
            values = json.loads((folder / _STATUS_FILE).read_bytes())
            if values["agent"] != agent:
                found[str(values["agent"])] = values
    return found
