"""What a policy holds: one frozen record a section of the file, whose fields are the keys of the file.

Each field carries its default and its type with bounds, so a key is declared once, here. A mapping may hold only some
sections or keys; the rest take their defaults. MB are 2**20 bytes.
Each key is explained in ``config/memory_policy.yaml``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast, get_args, overload

from memanalysis.errors import PolicyError
from memanalysis.policy.budgets import MemoryBudget, MemoryBudgets, parse_budgets
from memanalysis.policy.places import LineOf, Place, Problems, join_errors
from memanalysis.policy.validation import parse_section
from memanalysis.policy.value_kinds import (
    Action,
    AgentCard,
    AppriseUrl,
    BindAddress,
    Channel,
    CleanupMethod,
    CollectorUrl,
    Count,
    Days,
    Frames,
    GrowthPercent,
    LedgerMetric,
    Megabytes,
    Objects,
    Port,
    Recipients,
    Seconds,
    SnapshotMetric,
    Snapshots,
    StoragePath,
    Wait,
    list_kind,
)
from memanalysis.schema import Sensitivity

__all__ = [
    "Action",
    "AgentCoordinationPolicy",
    "AlertLevelPolicy",
    "AlertLevels",
    "AlertRecipients",
    "AlertsPolicy",
    "ApprisePolicy",
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
    "MessagingPolicy",
    "MessagingServicePolicy",
    "MonitoringPolicy",
    "OpenTelemetryPolicy",
    "Policy",
    "PrometheusPolicy",
    "QualityGatesPolicy",
    "SnapshotsPolicy",
    "TracemallocPolicy",
    "parse_policy",
]

LEDGER_PLACE = "{ledger}"
"""At the beginning of a path: the folder of the ledger."""


@dataclass(frozen=True, slots=True)
class LeakThresholds:
    """Section ``leak_detection.thresholds``."""

    memory_growth_mb: Megabytes = 10
    memory_growth_percent: GrowthPercent = 20
    object_count_growth: Objects = 1000


@dataclass(frozen=True, slots=True)
class AutoCleanupPolicy:
    """Section ``leak_detection.auto_cleanup``."""

    enabled: bool = True
    threshold_mb: Megabytes = 50
    methods: Annotated[tuple[CleanupMethod, ...], list_kind("methods")] = get_args(CleanupMethod)


@dataclass(frozen=True, slots=True)
class LeakDetectionPolicy:
    """Section ``leak_detection``."""

    enabled: bool = True
    check_interval_seconds: Seconds = 300
    snapshot_retention_count: Snapshots = 10
    thresholds: LeakThresholds = LeakThresholds()
    sensitivity: Sensitivity = "medium"
    auto_cleanup: AutoCleanupPolicy = AutoCleanupPolicy()


@dataclass(frozen=True, slots=True)
class TracemallocPolicy:
    """Section ``monitoring.tracemalloc``."""

    enabled: bool = True
    trace_limit: Frames = 25


@dataclass(frozen=True, slots=True)
class SnapshotsPolicy:
    """Section ``monitoring.snapshots``."""

    enabled: bool = True
    interval_seconds: Seconds = 60
    retention_count: Count = 100


@dataclass(frozen=True, slots=True)
class MonitoringPolicy:
    """Section ``monitoring``."""

    tracemalloc: TracemallocPolicy = TracemallocPolicy()
    snapshots: SnapshotsPolicy = SnapshotsPolicy()
    metrics: Annotated[tuple[SnapshotMetric, ...], list_kind("metrics")] = get_args(SnapshotMetric)


@dataclass(frozen=True, slots=True)
class AlertLevelPolicy:
    """One of the three levels in ``alerts.levels``."""

    enabled: bool = True
    cooldown_seconds: Wait = 0


@dataclass(frozen=True, slots=True)
class AlertLevels:
    """Section ``alerts.levels``."""

    warning: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=300)
    critical: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=60)
    emergency: AlertLevelPolicy = AlertLevelPolicy(cooldown_seconds=0)


@dataclass(frozen=True, slots=True)
class AlertRecipients:
    """Section ``alerts.recipients``."""

    warning: Recipients = ("Agent-5",)
    critical: Recipients = ("Agent-4", "Agent-5")
    emergency: Recipients = ("Agent-4", "Agent-5", "Agent-8")


@dataclass(frozen=True, slots=True)
class MessagingPolicy:
    """Section ``alerts.messaging``; a recipient without an agent card has an inbox folder, where there is a root."""

    inbox_root: StoragePath = f"{LEDGER_PLACE}/agent_workspaces"
    agent_cards: Annotated[tuple[AgentCard, ...], list_kind("agent cards")] = ()

    def find_cards(self) -> dict[str, str]:
        """Return the address of each recipient's agent card."""
        return dict(card.split("=", 1) for card in self.agent_cards)

    @overload
    def find_inbox_root(self, ledger: Path) -> Path: ...
    @overload
    def find_inbox_root(self, ledger: None) -> Path | None: ...
    def find_inbox_root(self, ledger: Path | None) -> Path | None:
        """Return the folder of all inboxes; None where it lies in the ledger, and there is none.

        Examples
        --------
        >>> MessagingPolicy().find_inbox_root(Path("/var/lib/api/ledger")).as_posix()
        '/var/lib/api/ledger/agent_workspaces'
        >>> MessagingPolicy(inbox_root="/srv/agents").find_inbox_root(None).as_posix()
        '/srv/agents'
        """
        first, _, rest = self.inbox_root.partition("/")
        if first != LEDGER_PLACE:
            return Path(self.inbox_root).absolute()  # the program may change its working folder
        return None if ledger is None else ledger.absolute() / rest.lstrip("/")


@dataclass(frozen=True, slots=True)
class ApprisePolicy:
    """Section ``alerts.apprise``."""

    urls: Annotated[tuple[AppriseUrl, ...], list_kind("addresses")] = ()


@dataclass(frozen=True, slots=True)
class OpenTelemetryPolicy:
    """Section ``alerts.opentelemetry``."""

    endpoint: CollectorUrl = "http://localhost:4318"
    interval_seconds: Seconds = 60


@dataclass(frozen=True, slots=True)
class PrometheusPolicy:
    """Section ``alerts.prometheus``."""

    address: BindAddress = "127.0.0.1"
    port: Port = 9464


@dataclass(frozen=True, slots=True)
class AlertsPolicy:
    """Section ``alerts``."""

    channels: Annotated[tuple[Channel, ...], list_kind("channels")] = ("logging", "messaging")
    levels: AlertLevels = AlertLevels()
    recipients: AlertRecipients = AlertRecipients()
    messaging: MessagingPolicy = MessagingPolicy()
    apprise: ApprisePolicy = ApprisePolicy()
    opentelemetry: OpenTelemetryPolicy = OpenTelemetryPolicy()
    prometheus: PrometheusPolicy = PrometheusPolicy()


@dataclass(frozen=True, slots=True)
class LedgerRetention:
    """Section ``ledger.retention``."""

    max_entries: Count = 10000
    max_age_days: Days = 30


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """Section ``ledger``."""

    enabled: bool = True
    storage_path: StoragePath = "logs/memory_ledger.json"
    retention: LedgerRetention = LedgerRetention()
    metrics: Annotated[tuple[LedgerMetric, ...], list_kind("metrics")] = get_args(LedgerMetric)

    @property
    def folder(self) -> str:
        """Where a watched run keeps its ledger: of a ``.json`` its stem, for that file is the JSON array ledger."""
        return self.storage_path.removesuffix(".json")


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """Section ``enforcement.hard_limits`` or ``enforcement.soft_limits``."""

    enabled: bool = True
    action: Action = "alert_only"


@dataclass(frozen=True, slots=True)
class EnforcementPolicy:
    """Section ``enforcement``."""

    hard_limits: LimitPolicy = LimitPolicy(action="alert_and_cleanup")
    soft_limits: LimitPolicy = LimitPolicy(action="alert_only")
    grace_period_seconds: Wait = 60


@dataclass(frozen=True, slots=True)
class MessagingServicePolicy:
    """Section ``integration.messaging_service``."""

    enabled: bool = True
    use_cue_system: bool = True


@dataclass(frozen=True, slots=True)
class QualityGatesPolicy:
    """Section ``integration.quality_gates``."""

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class AgentCoordinationPolicy:
    """Section ``integration.agent_coordination``."""

    enabled: bool = True
    auto_notify: bool = True


@dataclass(frozen=True, slots=True)
class IntegrationPolicy:
    """Section ``integration``."""

    messaging_service: MessagingServicePolicy = MessagingServicePolicy()
    quality_gates: QualityGatesPolicy = QualityGatesPolicy()
    agent_coordination: AgentCoordinationPolicy = AgentCoordinationPolicy()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; ``Policy()`` is the default, without any service of its own."""

    memory_budgets: MemoryBudgets = field(default_factory=MemoryBudgets, metadata={"parse": parse_budgets})
    leak_detection: LeakDetectionPolicy = LeakDetectionPolicy()
    monitoring: MonitoringPolicy = MonitoringPolicy()
    alerts: AlertsPolicy = AlertsPolicy()
    ledger: LedgerPolicy = LedgerPolicy()
    enforcement: EnforcementPolicy = EnforcementPolicy()
    integration: IntegrationPolicy = IntegrationPolicy()

    def budget_for(self, service: str) -> MemoryBudget:
        """Give the budget of a service; one that the policy does not name has the global budget."""
        return self.memory_budgets.services.get(service, self.memory_budgets.global_)

    @property
    def follows_limit(self) -> bool:
        """Whether a budget is a share of the limit."""
        budgets = (self.memory_budgets.global_, *self.memory_budgets.services.values())
        return any(budget.percent_of_limit is not None for budget in budgets)

    def for_limit(self, limit_bytes: float | None) -> "Policy":
        """Give the policy under a limit, in bytes: budgets that are a share of it follow. None leaves it as it is."""
        budgets = self.memory_budgets
        services = {name: budget.for_limit(limit_bytes) for name, budget in budgets.services.items()}
        limited = MemoryBudgets(global_=budgets.global_.for_limit(limit_bytes), services=services)
        return self if limited == budgets else replace(self, memory_budgets=limited)

    def to_mapping(self) -> dict[str, Any]:
        """Give the policy as a plain mapping with every key, as a policy file would hold it."""
        mapping = asdict(self)
        budgets = self.memory_budgets
        services = {name: budget.to_mapping() for name, budget in budgets.services.items()}
        mapping["memory_budgets"] = {"global": budgets.global_.to_mapping(), "services": services}
        return cast("dict[str, Any]", _with_lists(mapping))

    @property
    def sha256(self) -> str:
        """Hash of what the policy defines, whatever its file looks like: 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()


def parse_policy(
    mapping: Mapping[str, Any] | Policy,
    *,
    source: str = "policy",
    line_of: LineOf | None = None,
    problems: Sequence[PolicyError] = (),
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
    problems : sequence of PolicyError
        What is known to be wrong already, such as keys that stand twice.

    Raises
    ------
    PolicyError
        ``source:line: dotted.key: what is needed, what was found. What to write.`` It holds all that is wrong.
    """
    if isinstance(mapping, Policy):
        return mapping
    found: Problems = list(problems)
    policy = parse_section(Policy(), mapping, Place(source, line_of=line_of), found)
    if found:
        raise join_errors(found)
    return policy


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value
