"""Is a service within its budget now, and what the policy wants done about it.

The enforcer says what is to be done and does none of it. MB are 2**20 bytes; an unknown reading is unknown, never ok.
"""

import math
import threading
import time
from collections.abc import Callable
from numbers import Real
from typing import Any

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.loader import MemoryPolicyLoader
from memanalysis.units import format_duration

__all__ = ["MemoryPolicyEnforcer"]


class MemoryPolicyEnforcer:
    """Checks readings against the budgets of a policy.

    Parameters
    ----------
    loader : MemoryPolicyLoader
        Whose policy holds; what it loads later holds from then on.
    clock : callable, optional
        Seconds that only go forward, for the grace period.
    """

    def __init__(self, loader: MemoryPolicyLoader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.loader = loader
        self._clock = clock
        self._critical_since: dict[str, float] = {}
        self._lock = threading.Lock()

    def check_budget(self, service: str, current_mb: float | None) -> dict[str, Any]:
        """Compare a reading with the budget of its service.

        Parameters
        ----------
        service : str
            A service that the policy does not name has the global budget.
        current_mb : float or None
            MB in use; None or NaN where the system does not tell.

        Returns
        -------
        dict
            ``service, current_mb, budget_mb, warning_mb, critical_mb, status, within_budget``. The status is ok,
            warning or critical from the respective threshold on, or unknown; within_budget then is None.

        Raises
        ------
        InvalidArgumentError
            A reading that is no number, or below 0.
        """
        known_mb = _known_mb(current_mb)
        budget = self.loader.get_budget(service)
        if known_mb is None:
            status = "unknown"
        elif known_mb >= budget.critical_mb:
            status = "critical"
        else:
            status = "warning" if known_mb >= budget.warning_mb else "ok"
        return {
            "service": service,
            "current_mb": known_mb,
            "budget_mb": budget.max_memory_mb,
            "warning_mb": budget.warning_mb,
            "critical_mb": budget.critical_mb,
            "status": status,
            "within_budget": None if known_mb is None else known_mb <= budget.max_memory_mb,
        }

    def enforce_limits(self, service: str, current_mb: float | None) -> dict[str, Any]:
        """Say what the policy wants done at this reading.

        Returns
        -------
        dict
            ``action`` (none, alert_only, alert_and_cleanup or alert_and_restart), ``reason`` (a sentence), and
            ``check_result``, what `check_budget` says. The hard action is wanted only once the service has been
            critical for the grace period in every reading; before, it is alert_only.
        """
        result = self.check_budget(service, current_mb)
        waited_s = self._critical_for(service, result["status"])
        action, reason = self._decide(result, waited_s)
        return {"action": action, "reason": reason, "check_result": result}

    def _critical_for(self, service: str, status: str) -> float:
        """Seconds since the service became critical; an unknown reading neither starts nor ends that."""
        now = self._clock()
        with self._lock:
            if status == "critical":
                return now - self._critical_since.setdefault(service, now)
            if status != "unknown":
                self._critical_since.pop(service, None)
        return 0.0

    def _decide(self, result: dict[str, Any], waited_s: float) -> tuple[str, str]:
        policy = self.loader.policy.enforcement
        service, status = result["service"], result["status"]
        if status == "unknown":
            return "none", f"The memory of {service} is not available, so its budget cannot be checked."
        reading = f"{service} uses {result['current_mb']:.1f} MB of {result['budget_mb']:.15g} MB"
        if status == "ok":
            return "none", f"{reading}, below its warning threshold of {result['warning_mb']:.1f} MB."
        hard = status == "critical"
        limits, name = (policy.hard_limits, "hard_limits") if hard else (policy.soft_limits, "soft_limits")
        reached = f"{reading} and has reached its {status} threshold of {result[f'{status}_mb']:.1f} MB"
        if not limits.enabled:
            return "none", f"{reached}, but enforcement.{name} is not enabled."
        remaining_s = policy.grace_period_seconds - waited_s
        if hard and remaining_s > 0 and limits.action != "alert_only":
            return "alert_only", f"{reached}; {limits.action} follows in {format_duration(remaining_s)} if it stays so."
        return limits.action, f"{reached}."


def _known_mb(current_mb: float | None) -> float | None:
    """Give the reading as a number, None where it is unknown."""
    if current_mb is None:
        return None
    if isinstance(current_mb, bool) or not isinstance(current_mb, Real):
        raise InvalidArgumentError(
            f"check_budget needs current_mb as a number of MB or None, but got {current_mb!r}. "
            "Give the MB in use, for example snapshot.current_mb."
        )
    if current_mb < 0:
        raise InvalidArgumentError(
            f"check_budget needs current_mb from 0 MB, but got {current_mb!r}. Give None where it is not known."
        )
    return None if math.isnan(current_mb) else float(current_mb)
