"""From which growth on a leak matters: the thresholds by which severity is graded. Loads no numpy."""

from dataclasses import dataclass
from typing import Literal

from memanalysis.units import MIB

__all__ = ["SENSITIVITY_FACTORS", "Sensitivity", "SeverityRules"]

Sensitivity = Literal["low", "medium", "high"]

SENSITIVITY_FACTORS: dict[Sensitivity, float] = {"low": 2.0, "medium": 1.0, "high": 0.5}
"""The policy's thresholds are multiplied by this: a high sensitivity reports half the growth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRules:
    """Thresholds of growth over the judged stretch; the defaults are those of the shipped policy."""

    growth_bytes: float = 10 * MIB
    growth_percent: float = 20.0
    sensitivity: Sensitivity = "medium"
