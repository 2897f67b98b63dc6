"""Alert rules for Prometheus that express the policy, for the metrics that a watched service exports.

A level that is off, and a limit that is not enforced, have no rule. As in the watched process, critical waits for the
grace period, and each level of a budget lasts until the readings were lower for as long. How often an alert is repeated
is a matter of Alertmanager, as is who gets it: the recipients of a level are a label, by which it can route.
"""

import json
from collections.abc import Iterator
from typing import Any

from memanalysis.policy.budgets import MemoryBudget
from memanalysis.policy.exported_metrics import BUDGET_BYTES, MEMORY_BYTES, SERVICE_LABEL, SEVERITY, SEVERITY_LEVELS
from memanalysis.policy.model import Policy
from memanalysis.units import bytes_from_mb

__all__ = ["make_alert_rules"]

_LEAK_LEVELS = {"warning": ("medium",), "critical": ("high", "critical")}
"""Severities of a leak that a level is alerted of, as in the watched process."""


def make_alert_rules(policy: Policy) -> dict[str, Any]:
    """Return the rule file as a mapping, to be written as YAML.

    Examples
    --------
    >>> from memanalysis.policy.model import parse_policy
    >>> policy = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}, "leak_detection": {"enabled": False}})
    >>> rules = make_alert_rules(policy)["groups"][0]["rules"]
    >>> rules[0]["alert"], rules[0]["expr"]
    ('MemoryWarning', 'memanalysis_memory_bytes{service="api"} >= 83886080')
    """
    budgets = policy.memory_budgets
    others = ",".join(f"{SERVICE_LABEL}!={_quote(name)}" for name in budgets.services)
    rules = [
        rule
        for name, budget in budgets.services.items()
        for rule in _budget_rules(policy, budget, f"{SERVICE_LABEL}={_quote(name)}")
    ]
    rules += _budget_rules(policy, budgets.global_, others)
    if policy.leak_detection.enabled:
        rules += _leak_rules(policy)
    return {"groups": [{"name": "memanalysis", "rules": rules}]}


def _budget_rules(policy: Policy, budget: MemoryBudget, matcher: str) -> Iterator[dict[str, Any]]:
    soft, hard = policy.enforcement.soft_limits.enabled, policy.enforcement.hard_limits.enabled
    thresholds = (
        ("warning", soft, ">=", budget.warning_threshold_percent, "has reached the warning threshold of its budget"),
        ("critical", hard, ">=", budget.critical_threshold_percent, "has reached the critical threshold of its budget"),
        ("emergency", hard, ">", 100, "is above its whole budget"),
    )
    grace = f"{round(policy.enforcement.grace_period_seconds)}s"
    memory, whole = (f"{metric}{{{matcher}}}" if matcher else metric for metric in (MEMORY_BYTES, BUDGET_BYTES))
    for level, is_enforced, sign, percent, text in thresholds:
        if not is_enforced:
            continue
        limit = str(bytes_from_mb(budget.max_memory_mb * percent / 100))
        if budget.percent_of_limit is not None:  # the service knows its limit, and exports what the share makes of it
            limit = f"{percent / 100:.15g} * {whole}"
        summary = f"{{{{ $labels.{SERVICE_LABEL} }}}} uses {{{{ $value | humanize1024 }}}}B and {text}."
        times = {"for": grace} if level == "critical" else {}
        times["keep_firing_for"] = grace
        name, expression = f"Memory{level.capitalize()}", f"{memory} {sign} {limit}"
        yield from _make_rule(policy, level, name, expression, summary, **times)


def _leak_rules(policy: Policy) -> Iterator[dict[str, Any]]:
    for level, severities in _LEAK_LEVELS.items():
        places = [SEVERITY_LEVELS.index(severity) for severity in severities]
        above = f" and {SEVERITY} <= {max(places)}" if max(places) < len(SEVERITY_LEVELS) - 1 else ""
        summary = f"{{{{ $labels.{SERVICE_LABEL} }}}} leaks memory, with severity {' or '.join(severities)}."
        yield from _make_rule(
            policy, level, f"MemoryLeak{level.capitalize()}", f"{SEVERITY} >= {min(places)}{above}", summary
        )


def _make_rule(
    policy: Policy, level: str, name: str, expression: str, summary: str, **times: str
) -> Iterator[dict[str, Any]]:
    if not getattr(policy.alerts.levels, level).enabled:
        return
    labels = {"severity": level}
    if recipients := getattr(policy.alerts.recipients, level):
        labels["recipients"] = ",".join(recipients)
    yield {"alert": name, "expr": expression, **times, "labels": labels, "annotations": {"summary": summary}}


def _quote(text: str) -> str:
    """Write a text as a string of PromQL, whose escapes are those of JSON but for surrogate pairs."""
    return json.dumps(text, ensure_ascii=False)
