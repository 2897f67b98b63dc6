"""What a policy says: one frozen record a section of the file, whose fields are the keys of the file.

Each field carries its default and its check, so a key is declared once, here. A mapping may hold only some sections or
keys; the rest take their defaults. MB are 2**20 bytes. Each key is explained in ``config/memory_policy.yaml``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from memanalysis.policy.budgets import MemoryBudget, MemoryBudgets, check_budgets
from memanalysis.policy.checks import (
    MAX_COUNT,
    MAX_DAYS,
    MAX_MB,
    MAX_SECONDS,
    LineOf,
    Place,
    check_choice,
    check_choices,
    check_flag,
    check_names,
    check_number,
    check_text,
    check_whole,
)
from memanalysis.policy.sections import declare_key, parse_section
from memanalysis.schema import Sensitivity

__all__ = [
    "Action",
    "AgentCoordinationPolicy",
    "AlertLevelPolicy",
    "AlertLevels",
    "AlertRecipients",
    "AlertsPolicy",
    "AutoCleanupPolicy",
    "EnforcementPolicy",
    "IntegrationPolicy",
    "LeakDetectionPolicy",
    "LeakThresholds",
    "LedgerPolicy",
    "LedgerRetention",
    "LimitPolicy",
    "MemoryBudget",
    "MemoryBudgets",
    "MessagingServicePolicy",
    "MonitoringPolicy",
    "Policy",
    "QualityGatesPolicy",
    "SnapshotsPolicy",
    "TracemallocPolicy",
    "parse_policy",
]

Action = Literal["alert_only", "alert_and_cleanup", "alert_and_restart"]

_GROWTH_MB = check_number("MB", above=0, high=MAX_MB, example=10)
_GROWTH_PERCENT = check_number("percent", above=0, high=MAX_COUNT, example=20)
_INTERVAL = check_number("seconds", above=0, high=MAX_SECONDS, example=60)
_WAIT = check_number("seconds", high=MAX_SECONDS, example=60)
_COUNT = check_whole("entries", low=1, high=MAX_COUNT, example=100)
_AGENTS = check_names("recipients", each=check_text("a name", example="Agent-5"))
_ACTION = check_choice("alert_only", "alert_and_cleanup", "alert_and_restart")
_CLEANUP_METHODS = ("garbage_collection", "resource_cleanup", "cache_flush")
_SNAPSHOT_METRICS = (
    "memory_usage",
    "object_counts",
    "allocation_rates",
    "deallocation_rates",
    "garbage_collection_stats",
)
_LEDGER_METRICS = (
    "timestamp",
    "service_name",
    "memory_usage_mb",
    "object_count",
    "allocation_count",
    "deallocation_count",
    "gc_collections",
)


@dataclass(frozen=True, slots=True)
class LeakThresholds:
    """Section ``leak_detection.thresholds``."""

    memory_growth_mb: float = declare_key(10, _GROWTH_MB)
    memory_growth_percent: float = declare_key(20, _GROWTH_PERCENT)
    object_count_growth: int = declare_key(1000, check_whole("objects", low=1, high=MAX_COUNT, example=1000))


@dataclass(frozen=True, slots=True)
class AutoCleanupPolicy:
    """Section ``leak_detection.auto_cleanup``."""

    enabled: bool = declare_key(True, check_flag)
    threshold_mb: float = declare_key(50, _GROWTH_MB)
    methods: tuple[str, ...] = declare_key(_CLEANUP_METHODS, check_choices("methods", *_CLEANUP_METHODS))


@dataclass(frozen=True, slots=True)
class LeakDetectionPolicy:
    """Section ``leak_detection``."""

    enabled: bool = declare_key(True, check_flag)
    check_interval_seconds: float = declare_key(300, _INTERVAL)
    snapshot_retention_count: int = declare_key(10, check_whole("snapshots", low=2, high=MAX_COUNT, example=10))
    thresholds: LeakThresholds = LeakThresholds()
    sensitivity: Sensitivity = field(default="medium", metadata={"check": check_choice("low", "medium", "high")})
    auto_cleanup: AutoCleanupPolicy = AutoCleanupPolicy()


@dataclass(frozen=True, slots=True)
class TracemallocPolicy:
    """Section ``monitoring.tracemalloc``."""

    enabled: bool = declare_key(True, check_flag)
    trace_limit: int = declare_key(25, check_whole("frames", low=1, high=65535, example=25))


@dataclass(frozen=True, slots=True)
class SnapshotsPolicy:
    """Section ``monitoring.snapshots``."""

    enabled: bool = declare_key(True, check_flag)
    interval_seconds: float = declare_key(60, _INTERVAL)
    retention_count: int = declare_key(100, _COUNT)


@dataclass(frozen=True, slots=True)
class MonitoringPolicy:
    """Section ``monitoring``."""

    tracemalloc: TracemallocPolicy = TracemallocPolicy()
    snapshots: SnapshotsPolicy = SnapshotsPolicy()
    metrics: tuple[str, ...] = declare_key(_SNAPSHOT_METRICS, check_choices("metrics", *_SNAPSHOT_METRICS))


@dataclass(frozen=True, slots=True)
class AlertLevelPolicy:
    """One of the three levels in ``alerts.levels``."""

    enabled: bool = declare_key(True, check_flag)
    cooldown_seconds: float = declare_key(0, _WAIT)


@dataclass(frozen=True, slots=True)
class AlertLevels:
    """Section ``alerts.levels``."""

    warning: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=300)
    critical: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=60)
    emergency: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=0)


@dataclass(frozen=True, slots=True)
class AlertRecipients:
    """Section ``alerts.recipients``."""

    warning: tuple[str, ...] = declare_key(("Agent-5",), _AGENTS)
    critical: tuple[str, ...] = declare_key(("Agent-4", "Agent-5"), _AGENTS)
    emergency: tuple[str, ...] = declare_key(("Agent-4", "Agent-5", "Agent-8"), _AGENTS)


@dataclass(frozen=True, slots=True)
class AlertsPolicy:
    """Section ``alerts``."""

    channels: tuple[str, ...] = declare_key(("logging", "messaging"), check_choices("channels", "logging", "messaging"))
    levels: AlertLevels = AlertLevels()
    recipients: AlertRecipients = AlertRecipients()


@dataclass(frozen=True, slots=True)
class LedgerRetention:
    """Section ``ledger.retention``."""

    max_entries: int = declare_key(10000, _COUNT)
    max_age_days: float = declare_key(30, check_number("days", above=0, high=MAX_DAYS, example=30))


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """Section ``ledger``."""

    enabled: bool = declare_key(True, check_flag)
    storage_path: str = declare_key("logs/memory_ledger.json", check_text("a path", example="logs/memory_ledger.json"))
    retention: LedgerRetention = LedgerRetention()
    metrics: tuple[str, ...] = declare_key(_LEDGER_METRICS, check_choices("metrics", *_LEDGER_METRICS))


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """Section ``enforcement.hard_limits`` or ``enforcement.soft_limits``."""

    enabled: bool = declare_key(True, check_flag)
    action: Action = field(default="alert_only", metadata={"check": _ACTION})


@dataclass(frozen=True, slots=True)
class EnforcementPolicy:
    """Section ``enforcement``."""

    hard_limits: LimitPolicy = LimitPolicy(action="alert_and_cleanup")
    soft_limits: LimitPolicy = LimitPolicy(action="alert_only")
    grace_period_seconds: float = declare_key(60, _WAIT)


@dataclass(frozen=True, slots=True)
class MessagingServicePolicy:
    """Section ``integration.messaging_service``."""

    enabled: bool = declare_key(True, check_flag)
    use_cue_system: bool = declare_key(True, check_flag)


@dataclass(frozen=True, slots=True)
class QualityGatesPolicy:
    """Section ``integration.quality_gates``."""

    enabled: bool = declare_key(True, check_flag)


@dataclass(frozen=True, slots=True)
class AgentCoordinationPolicy:
    """Section ``integration.agent_coordination``."""

    enabled: bool = declare_key(True, check_flag)
    auto_notify: bool = declare_key(True, check_flag)


@dataclass(frozen=True, slots=True)
class IntegrationPolicy:
    """Section ``integration``."""

    messaging_service: MessagingServicePolicy = MessagingServicePolicy()
    quality_gates: QualityGatesPolicy = QualityGatesPolicy()
    agent_coordination: AgentCoordinationPolicy = AgentCoordinationPolicy()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; ``Policy()`` is the default, without any service of its own."""

    memory_budgets: MemoryBudgets = field(default_factory=MemoryBudgets, metadata={"check": check_budgets})
    leak_detection: LeakDetectionPolicy = LeakDetectionPolicy()
    monitoring: MonitoringPolicy = MonitoringPolicy()
    alerts: AlertsPolicy = AlertsPolicy()
    ledger: LedgerPolicy = LedgerPolicy()
    enforcement: EnforcementPolicy = EnforcementPolicy()
    integration: IntegrationPolicy = IntegrationPolicy()

    def budget_for(self, service: str) -> MemoryBudget:
        """Give the budget of a service; one that the policy does not name has the global budget."""
        return self.memory_budgets.services.get(service, self.memory_budgets.global_)

    def to_mapping(self) -> dict[str, Any]:
        """Give the policy as a plain mapping with every key, as a policy file would hold it."""
        mapping = asdict(self)
        budgets = mapping["memory_budgets"]
        mapping["memory_budgets"] = {"global": budgets["global_"], "services": budgets["services"]}
        return cast("dict[str, Any]", _with_lists(mapping))

    @property
    def sha256(self) -> str:
        """Hash of what the policy says, whatever its file looks like: 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()


def parse_policy(
    mapping: Mapping[str, Any] | Policy, *, source: str = "policy", line_of: LineOf | None = None
) -> Policy:
    """Give the policy that a mapping describes; keys that it leaves out take their defaults.

    Parameters
    ----------
    mapping : mapping
        As a policy file holds it, or only some of its sections. A `Policy` is given back as it is.
    source : str
        What an error calls the mapping: the path of its file.
    line_of : callable, optional
        From the keys that lead to a value to its line in the file; None where it has none.

    Raises
    ------
    PolicyError
        ``source:line: dotted.key: what is needed, what was found. What to write.``
    """
    if isinstance(mapping, Policy):
        return mapping
    return parse_section(Policy(), mapping, Place(source, line_of=line_of))


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value
