"""The rules of a policy are right by Prometheus's own tool, and fire where the policy is broken."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from memanalysis.policy.loader import read_default_policy
from memanalysis.policy.model import parse_policy
from memanalysis.policy.prometheus_rules import make_alert_rules
from memanalysis.units import MIB

POLICY = {
    "memory_budgets": {
        "global": {"max_memory_mb": "50% of limit", "warning_threshold_percent": 50},
        "services": {"api": "100MB", 'odd "name" \\ üñ': "7MB"},
    }
}

HARD_ALERTS = ["Critical", "Emergency"]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def rules_of(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return list(make_alert_rules(parse_policy(policy))["groups"][0]["rules"])


@pytest.mark.slow
def test_each_level_of_each_budget_has_a_rule_and_so_have_leaks() -> None:
    rules = rules_of({"memory_budgets": {"services": {"api": "100MB"}}})

    assert [(rule["alert"], rule["expr"]) for rule in rules] == [
        ("MemoryWarning", f'memanalysis_memory_bytes{{service="api"}} >= {80 * MIB}'),
        ("MemoryCritical", f'memanalysis_memory_bytes{{service="api"}} >= {95 * MIB}'),
        ("MemoryEmergency", f'memanalysis_memory_bytes{{service="api"}} > {100 * MIB}'),
        ("MemoryWarning", f'memanalysis_memory_bytes{{service!="api"}} >= {round(0.8 * 512 * MIB)}'),
        ("MemoryCritical", f'memanalysis_memory_bytes{{service!="api"}} >= {round(0.95 * 512 * MIB)}'),
        ("MemoryEmergency", f'memanalysis_memory_bytes{{service!="api"}} > {512 * MIB}'),
        ("MemoryLeakWarning", "memanalysis_leak_severity >= 2 and memanalysis_leak_severity <= 2"),
        ("MemoryLeakCritical", "memanalysis_leak_severity >= 3"),
    ]
    assert rules[2]["labels"] == {"severity": "emergency", "recipients": "Agent-4,Agent-5,Agent-8"}


@pytest.mark.parametrize(
    ("section", "left"),
    [
        ({"alerts": {"levels": {"warning": {"enabled": False}}}}, ["Critical", "Emergency", "LeakCritical"]),
        (
            {"enforcement": {"soft_limits": {"enabled": False}}},
            ["Critical", "Emergency", "LeakWarning", "LeakCritical"],
        ),
        ({"enforcement": {"hard_limits": {"enabled": False}}}, ["Warning", "LeakWarning", "LeakCritical"]),
        ({"leak_detection": {"enabled": False}}, ["Warning", "Critical", "Emergency"]),
    ],
)
def test_what_the_policy_turns_off_has_no_rule(section: dict[str, Any], left: list[str]) -> None:
    assert [rule["alert"] for rule in rules_of(section)] == [f"Memory{name}" for name in left]


@needs_promtool
@pytest.mark.parametrize("policy", [POLICY, read_default_policy().to_mapping(), {}], ids=["odd", "shipped", "empty"])
def test_promtool_accepts_the_rules(policy: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(make_alert_rules(parse_policy(policy)), sort_keys=False), encoding="utf-8")

    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_fire_where_the_budget_is_broken(tmp_path: Path) -> None:
    """api is critical, worker above half of its exported budget, and quiet below it; worker leaks."""
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(make_alert_rules(parse_policy(POLICY))), encoding="utf-8")
    series = {
        'memanalysis_memory_bytes{service="api"}': 96 * MIB,
        'memanalysis_memory_bytes{service="worker"}': 60 * MIB,
        'memanalysis_memory_bytes{service="quiet"}': 40 * MIB,
        'memanalysis_budget_bytes{service="worker"}': 100 * MIB,
        'memanalysis_budget_bytes{service="quiet"}': 100 * MIB,
        'memanalysis_leak_severity{service="worker"}': 3,
    }
    alerts = {
        "MemoryWarning": [("api", "warning", "96MiB"), ("worker", "warning", "60MiB")],
        "MemoryCritical": [("api", "critical", "96MiB")],
        "MemoryEmergency": [],
        "MemoryLeakWarning": [],
        "MemoryLeakCritical": [("worker", "critical", None)],
    }
    texts = {"MemoryWarning": "warning threshold of its budget", "MemoryCritical": "critical threshold of its budget"}
    recipients = {"warning": "Agent-5", "critical": "Agent-4,Agent-5"}
    expected = [
        {
            "eval_time": "5m",
            "alertname": name,
            "exp_alerts": [
                {
                    "exp_labels": {"service": service, "severity": level, "recipients": recipients[level]},
                    "exp_annotations": {
                        "summary": f"{service} leaks memory, with severity high or critical."
                        if size is None
                        else f"{service} uses {size} and has reached the {texts[name]}."
                    },
                }
                for service, level, size in found
            ],
        }
        for name, found in alerts.items()
    ]
    inputs = [{"series": name, "values": f"{value}x10"} for name, value in series.items()]
    case = {"rule_files": ["rules.yml"], "evaluation_interval": "1m"}
    case["tests"] = [{"interval": "1m", "input_series": inputs, "alert_rule_test": expected}]
    (tmp_path / "case.yml").write_text(yaml.safe_dump(case), encoding="utf-8")

    done = subprocess.run(
        ["promtool", "test", "rules", "case.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
