"""`MemoryPolicyEnforcer`: budgets of a loader's policy, as plain dictionaries."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.policy.enforcer import BudgetCheck, check_budget, describe_check
from memanalysis.policy.level_hysteresis import LevelHysteresis
from memanalysis.policy.model import Policy
from memanalysis.units import format_duration

__all__ = ["MemoryPolicyEnforcer"]


class MemoryPolicyEnforcer:
    """Checks readings against the budgets of a policy.

    Parameters
    ----------
    loader : MemoryPolicyLoader
        Gives the policy; what it loads later holds from then on.
    clock : callable, optional
        Seconds that only go forward, for the grace period.

    Examples
    --------
    >>> from memanalysis import MemoryPolicyEnforcer, MemoryPolicyLoader
    >>> enforcer = MemoryPolicyEnforcer(MemoryPolicyLoader("config/memory_policy.yaml"))
    >>> enforcer.check_budget("messaging", 85.0)["status"]
    'warning'
    """

    def __init__(self, loader: MemoryPolicyLoader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.loader = loader
        self._clock = clock
        self._levels: defaultdict[str, LevelHysteresis] = defaultdict(LevelHysteresis)
        self._lock = threading.Lock()

    def check_budget(self, service: str, current_mb: float | None) -> dict[str, Any]:
        """Compare a reading with the budget of its service.

        Returns
        -------
        dict
            ``service, current_mb, budget_mb, warning_mb, critical_mb, status, within_budget``: the fields of
            `memanalysis.policy.enforcer.BudgetCheck`.

        Raises
        ------
        InvalidArgumentError
            The reading is no number, or is below 0.
        """
        return asdict(check_budget(self.loader.policy, service, current_mb))

    def enforce_limits(self, service: str, current_mb: float | None) -> dict[str, Any]:
        """Return what the policy wants done at this reading: ``action``, ``reason`` and ``check_result``.

        The hard action is wanted once the service has been critical for the grace period, counted as a watched run
        counts it: only readings that stay well below the threshold for that long end it. Before that the action is
        ``alert_only``.
        """
        policy = self.loader.policy
        check = check_budget(policy, service, current_mb)
        action, reason = _decide(policy, check, self._count_critical_s(policy, check))
        return {"action": action, "reason": reason, "check_result": asdict(check)}

    def _count_critical_s(self, policy: Policy, check: BudgetCheck) -> float:
        now = self._clock()
        with self._lock:
            level = self._levels[check.service]
            level.update(check, now, grace_s=policy.enforcement.grace_period_seconds)
            if level.rank == 0:
                del self._levels[check.service]
            return level.find_critical_s(now) or 0.0


def _decide(policy: Policy, check: BudgetCheck, critical_s: float) -> tuple[str, str]:
    enforcement = policy.enforcement
    service, status = check.service, check.status
    if status == "unknown":
        return "none", f"The memory of {service} is not available, so its budget cannot be checked."
    reached = describe_check(check)
    if status == "ok":
        return "none", f"{reached}."
    is_hard = status == "critical"
    limits, name = (enforcement.hard_limits, "hard_limits") if is_hard else (enforcement.soft_limits, "soft_limits")
    if not limits.enabled:
        return "none", f"{reached}, but enforcement.{name} is not enabled."
    remaining_s = enforcement.grace_period_seconds - critical_s
    if is_hard and remaining_s > 0 and limits.action != "alert_only":
        return "alert_only", f"{reached}; {limits.action} follows in {format_duration(remaining_s)} if it stays so."
    return limits.action, f"{reached}."
