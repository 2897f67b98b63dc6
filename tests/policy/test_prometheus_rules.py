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


def run_promtool(folder: Path, *, interval: str, **test: list[dict[str, Any]]) -> None:
    """Check with Prometheus's own tool that the folder's rules.yml gives what a test of it expects."""
    case = {"rule_files": ["rules.yml"], "evaluation_interval": interval, "tests": [{"interval": interval, **test}]}
    (folder / "case.yml").write_text(yaml.safe_dump(case), encoding="utf-8")

    done = subprocess.run(
        ["promtool", "test", "rules", "case.yml"], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


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
@pytest.mark.parametrize(
    "policy",
    [POLICY, read_default_policy().to_mapping(), {}, {"enforcement": {"grace_period_seconds": 0}}],
    ids=["odd", "shipped", "empty", "without grace"],
)
def test_promtool_accepts_the_rules(policy: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(make_alert_rules(parse_policy(policy)), sort_keys=False), encoding="utf-8")

    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_of_a_budget_wait_and_last_as_long_as_the_grace_period_and_those_of_leaks_do_not() -> None:
    rules = rules_of({"memory_budgets": {"services": {"api": "1MB"}}, "enforcement": {"grace_period_seconds": 90}})
    times = {rule["alert"]: (rule.get("for"), rule.get("keep_firing_for")) for rule in rules}

    assert times == {
        "MemoryWarning": (None, "90s"),
        "MemoryCritical": ("90s", "90s"),
        "MemoryEmergency": (None, "90s"),
        "MemoryLeakWarning": (None, None),
        "MemoryLeakCritical": (None, None),
    }


@needs_promtool
def test_critical_fires_after_the_grace_period_and_a_level_ends_that_long_after_its_last_reading(
    tmp_path: Path,
) -> None:
    """Readings every 10 s: critical from 10 s to 100 s, then low; the grace period is 60 s."""
    policy = {"memory_budgets": {"services": {"api": "100MB"}}, "enforcement": {"grace_period_seconds": 60}}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(make_alert_rules(parse_policy(policy))), encoding="utf-8")
    values = f"{10 * MIB} {96 * MIB}x9 {10 * MIB}x20"
    series = [{"series": 'memanalysis_memory_bytes{service="api"}', "values": values}]
    warning, critical = ({"labels": f'{{alertname="Memory{level}"}}', "value": 1} for level in ("Warning", "Critical"))
    firing = {"0s": [], "60s": [warning], "80s": [warning, critical], "150s": [warning, critical], "180s": []}
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    expected = [{"expr": expression, "eval_time": at, "exp_samples": samples} for at, samples in firing.items()]

    run_promtool(tmp_path, interval="10s", input_series=series, promql_expr_test=expected)


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

    run_promtool(tmp_path, interval="1m", input_series=inputs, alert_rule_test=expected)
