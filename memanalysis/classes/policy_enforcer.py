"""`MemoryPolicyEnforcer`: budgets of a loader's policy, as plain dictionaries."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.policy.enforcer import BudgetEnforcer, check_budget

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
        self._enforcer = BudgetEnforcer(clock=clock)

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
        """Return what the policy wants done at this reading: ``action``, ``reason`` and ``check_result``."""
        decision = self._enforcer.decide(self.loader.policy, service, current_mb)
        return {"action": decision.action, "reason": decision.reason, "check_result": asdict(decision.check)}
