"""The shipped policy file has the values of the specification and of the code."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.policy.loader import read_default_policy
from memanalysis.policy.model import MemoryBudget, MemoryBudgets, Policy

SHIPPED = Path(__file__).parents[2] / "config" / "memory_policy.yaml"

# Written out by hand from the specification; enforcement's actions are ours.
CONTRACT = {
    "memory_budgets": {
        "global": {"max_memory_mb": 512, "warning_threshold_percent": 80, "critical_threshold_percent": 95},
        "services": {
            "messaging": {
                "max_memory_mb": 100,
                "warning_threshold_percent": 75,
                "critical_threshold_percent": 90,
            },
            "autonomous_workflow": {
                "max_memory_mb": 150,
                "warning_threshold_percent": 75,
                "critical_threshold_percent": 90,
            },
            "vector_database": {
                "max_memory_mb": 200,
                "warning_threshold_percent": 80,
                "critical_threshold_percent": 95,
            },
            "agent_workspace": {
                "max_memory_mb": 50,
                "warning_threshold_percent": 70,
                "critical_threshold_percent": 85,
            },
        },
    },
    "leak_detection": {
        "enabled": True,
        "check_interval_seconds": 300,
        "snapshot_retention_count": 10,
        "thresholds": {"memory_growth_mb": 10, "memory_growth_percent": 20, "object_count_growth": 1000},
        "sensitivity": "medium",
        "auto_cleanup": {
            "enabled": True,
            "threshold_mb": 50,
            "methods": ["garbage_collection", "resource_cleanup", "cache_flush"],
        },
    },
    "monitoring": {
        "tracemalloc": {"enabled": True, "trace_limit": 25},
        "snapshots": {"enabled": True, "interval_seconds": 60, "retention_count": 100},
        "metrics": [
            "memory_usage",
            "object_counts",
            "allocation_rates",
            "deallocation_rates",
            "garbage_collection_stats",
        ],
    },
    "alerts": {
        "channels": ["logging", "messaging"],
        "levels": {
            "warning": {"enabled": True, "cooldown_seconds": 300},
            "critical": {"enabled": True, "cooldown_seconds": 60},
            "emergency": {"enabled": True, "cooldown_seconds": 0},
        },
        "recipients": {
            "warning": ["Agent-5"],
            "critical": ["Agent-4", "Agent-5"],
            "emergency": ["Agent-4", "Agent-5", "Agent-8"],
        },
    },
    "ledger": {
        "enabled": True,
        "storage_path": "logs/memory_ledger.json",
        "retention": {"max_entries": 10000, "max_age_days": 30},
        "metrics": [
            "timestamp",
            "service_name",
            "memory_usage_mb",
            "object_count",
            "allocation_count",
            "deallocation_count",
            "gc_collections",
        ],
    },
    "enforcement": {
        "hard_limits": {"enabled": True, "action": "alert_and_cleanup"},
        "soft_limits": {"enabled": True, "action": "alert_only"},
        "grace_period_seconds": 60,
    },
    "integration": {
        "messaging_service": {"enabled": True, "use_cue_system": True},
        "quality_gates": {"enabled": True},
        "agent_coordination": {"enabled": True, "auto_notify": True},
    },
}


CHANNELS: dict[str, Any] = {
    "messaging": {"inbox_root": "{ledger}/agent_workspaces", "agent_cards": []},
    "apprise": {"urls": []},
    "opentelemetry": {"endpoint": "http://localhost:4318", "interval_seconds": 60},
    "prometheus": {"address": "127.0.0.1", "port": 9464},
}
"""Addresses of channels, which the specification leaves open."""

WHOLE = {**CONTRACT, "alerts": {**CONTRACT["alerts"], **CHANNELS}}


@pytest.mark.slow
def test_the_shipped_file_holds_the_contract() -> None:
    """Sections, keys and values are those of the specification, which memory the budgets are for, and the channels."""
    shipped = MemoryPolicyLoader(SHIPPED).load()

    assert shipped["memory_budgets"]["global"].pop("metric") == "auto"
    assert shipped == WHOLE


def test_the_shipped_file_is_what_the_package_reads() -> None:
    mapping = read_default_policy().to_mapping()
    budgets = mapping["memory_budgets"]

    assert {budget.pop("metric") for budget in (budgets["global"], *budgets["services"].values())} == {"auto"}
    assert mapping == WHOLE


def test_defaults_in_code_equal_the_shipped_file_but_for_its_services() -> None:
    """A user who leaves a key out gets the value of the file."""
    shared = MemoryBudgets(global_=MemoryBudget(512, 80, 95))

    assert dataclasses.replace(read_default_policy(), memory_budgets=shared) == Policy()


def test_every_line_of_the_shipped_file_fits_a_screen() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()

    assert max(map(len, lines)) <= 120
    assert sum("#" in line for line in lines) > len(lines) / 3
