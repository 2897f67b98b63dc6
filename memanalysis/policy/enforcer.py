"""Whether a service is within its budget now. MB are 2**20 bytes. An unknown reading is unknown, never ok."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.model import Policy

__all__ = ["BudgetCheck", "BudgetStatus", "check_budget", "describe_check"]

BudgetStatus = Literal["ok", "warning", "critical", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCheck:
    """One reading beside the budget of its service, in MB.

    Parameters
    ----------
    service : str
    current_mb : float or None
        None where the system does not show it.
    budget_mb, warning_mb, critical_mb : float
        The whole budget, and the readings from which the status is warning and critical.
    status : str
        ok, warning, critical or unknown.
    within_budget : bool or None
        None where the reading is unknown.
    """

    service: str
    current_mb: float | None
    budget_mb: float
    warning_mb: float
    critical_mb: float
    status: BudgetStatus
    within_budget: bool | None


def check_budget(policy: Policy, service: str, current_mb: float | None) -> BudgetCheck:
    """Compare a reading with the budget of its service.

    Parameters
    ----------
    policy : Policy
    service : str
        A service that the policy does not name has the global budget.
    current_mb : float or None
        MB in use. None or NaN where the system does not show it.

    Raises
    ------
    InvalidArgumentError
        The reading is no number, or is below 0.

    Examples
    --------
    >>> from memanalysis.policy.model import parse_policy
    >>> policy = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}}, source="example")
    >>> check_budget(policy, "api", 85.0).status
    'warning'
    """
    known_mb = _known_mb(current_mb)
    budget = policy.budget_for(service)
    status: BudgetStatus
    if known_mb is None:
        status = "unknown"
    elif known_mb >= budget.critical_mb:
        status = "critical"
    else:
        status = "warning" if known_mb >= budget.warning_mb else "ok"
    return BudgetCheck(
        service=service,
        current_mb=known_mb,
        budget_mb=budget.max_memory_mb,
        warning_mb=budget.warning_mb,
        critical_mb=budget.critical_mb,
        status=status,
        within_budget=None if known_mb is None else known_mb <= budget.max_memory_mb,
    )


def describe_check(check: BudgetCheck) -> str:
    """Describe a known reading beside its budget: a sentence without its full stop.

    Examples
    --------
    >>> from memanalysis.policy.model import parse_policy
    >>> policy = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}}, source="example")
    >>> describe_check(check_budget(policy, "api", 85.0))
    'api uses 85.0 MB of 100 MB and has reached its warning threshold of 80.0 MB'
    """
    reading = f"{check.service} uses {check.current_mb:.1f} MB of {check.budget_mb:.15g} MB"
    if check.status == "ok":
        return f"{reading}, below its warning threshold of {check.warning_mb:.1f} MB"
    threshold_mb = check.critical_mb if check.status == "critical" else check.warning_mb
    return f"{reading} and has reached its {check.status} threshold of {threshold_mb:.1f} MB"


def _known_mb(current_mb: float | None) -> float | None:
    """Return the reading as a number, None where it is unknown."""
    if current_mb is None:
        return None
    if type(current_mb) is not float and (isinstance(current_mb, bool) or not isinstance(current_mb, Real)):
        raise InvalidArgumentError(
            f"check_budget needs current_mb as a number of MB or None, but got {current_mb!r}. "
            "Give the MB in use, for example snapshot.current_mb."
        )
    if current_mb < 0:
        raise InvalidArgumentError(
            f"check_budget needs current_mb from 0 MB, but got {current_mb!r}. Give None where it is not known."
        )
    return None if math.isnan(current_mb) else float(current_mb)
