"""Turn a policy's thresholds into the rules of severity for the engine, and decide what is worth reporting."""

from typing import TYPE_CHECKING

from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.policy.model import LeakDetectionPolicy
from memanalysis.units import MIB

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Severity, Verdict

__all__ = ["reported_severity", "severity_rules"]


def severity_rules(policy: LeakDetectionPolicy) -> SeverityRules:
    """Return the rules for a series of bytes."""
    return SeverityRules(
        growth_bytes=policy.thresholds.memory_growth_mb * MIB,
        growth_percent=policy.thresholds.memory_growth_percent,
        sensitivity=policy.sensitivity,
    )


def reported_severity(verdict: "Verdict") -> "Severity":
    """Return the severity that people are alerted of: medium, high or critical, else none.

    A leak of severity low is shown, but its growth is below the thresholds of the policy.
    """
    return "none" if not verdict.is_leak or verdict.severity == "low" else verdict.severity
