"""Does a piece of work pass its gates? Its memory is held against the budget; only a warning passes."""

from dataclasses import dataclass

from memanalysis.policy.enforcer import BudgetCheck
from memanalysis.response.alerts.alert import AlertLevel, find_level

__all__ = ["GateFailure", "QualityGates", "check_gates", "describe_excess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFailure:
    """One gate that failed, and why."""

    gate: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityGates:
    """What the quality gates found; true where all passed.

    Parameters
    ----------
    failures : tuple of GateFailure
    is_checked : bool
        False where the policy has the gates turned off.
    """

    failures: tuple[GateFailure, ...]
    is_checked: bool = True

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.passed


def check_gates(check: BudgetCheck) -> QualityGates:
    """Return which gates the memory of a service fails; what is unknown fails, as it cannot be checked."""
    if check.status == "unknown":
        reason = f"The memory of {check.service} is not available, so its budget cannot be checked."
        return QualityGates(failures=(GateFailure(gate="measurement", reason=reason),))
    level = find_level(check)
    if level in (None, "warning"):
        return QualityGates(failures=())
    return QualityGates(failures=(GateFailure(gate="budget", reason=describe_excess(check, level)),))


def describe_excess(check: BudgetCheck, level: AlertLevel) -> str:
    """Return the sentence on a service that has reached a level of its budget."""
    threshold_mb = {"warning": check.warning_mb, "critical": check.critical_mb, "emergency": check.budget_mb}[level]
    return (
        f"{check.service} uses {check.current_mb:.1f} MB of {check.budget_mb:.15g} MB, and {level} begins at "
        f"{threshold_mb:.1f} MB."
    )
