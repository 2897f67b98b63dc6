"""The growth from which a leak matters: thresholds of a policy by which its severity is chosen. Loads no numpy."""

from dataclasses import dataclass

from memanalysis.schema import Sensitivity
from memanalysis.units import MIB

__all__ = ["SeverityRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRules:
    """Thresholds of growth over the judged stretch; the defaults are those of the shipped policy."""

    growth_bytes: float = 10 * MIB
    growth_percent: float = 20.0
    sensitivity: Sensitivity = "medium"
