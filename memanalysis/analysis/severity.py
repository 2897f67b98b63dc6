"""How bad a leak is: its growth against the policy's thresholds, and the time that is left."""

from dataclasses import dataclass
from typing import Literal

from memanalysis.analysis.verdict import SEVERITIES, Severity
from memanalysis.units import MIB

__all__ = ["Sensitivity", "SeverityRules", "classify_severity"]

Sensitivity = Literal["low", "medium", "high"]

SENSITIVITY_FACTORS: dict[Sensitivity, float] = {"low": 2.0, "medium": 1.0, "high": 0.5}
"""The policy's thresholds are multiplied by this: a high sensitivity reports half the growth."""

EXCESS_STEPS = (1.0, 2.0, 5.0)
"""Growth in multiples of the threshold from which a leak is medium, high, critical."""

HOURS_LEFT_STEPS = (7 * 24.0, 24.0, 1.0)
"""Hours to exhaustion from which downwards a leak is medium, high, critical."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRules:
    """Thresholds of growth over the judged stretch; the defaults are those of the shipped policy."""

    growth_bytes: float = 10 * MIB
    growth_percent: float = 20.0
    sensitivity: Sensitivity = "medium"


def classify_severity(
    *,
    is_leak: bool,
    growth_bytes: float | None,
    growth_percent: float | None,
    time_to_exhaustion_s: float | None,
    rules: SeverityRules,
) -> Severity:
    """Grade a leak: the worse of its size and its urgency; ``none`` where no leak was shown.

    ``low`` is a leak below the policy's thresholds with more than a week left.
    """
    if not is_leak:
        return "none"
    factor = SENSITIVITY_FACTORS[rules.sensitivity]
    excess = max((growth_bytes or 0.0) / rules.growth_bytes, (growth_percent or 0.0) / rules.growth_percent) / factor
    by_size = sum(excess >= step for step in EXCESS_STEPS)
    hours_left = float("inf") if time_to_exhaustion_s is None else time_to_exhaustion_s / 3600
    by_urgency = sum(hours_left <= step for step in HOURS_LEFT_STEPS)
    return SEVERITIES[1 + max(by_size, by_urgency)]
