"""How the class interface grades counts of objects, and the thresholds that it reports."""

from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.policy.model import LeakDetectionPolicy

__all__ = ["OBJECT_WEIGHT", "object_rules", "scaled_thresholds"]

OBJECT_WEIGHT = 1024
"""Bytes that one object stands for when the engine judges a count: its least growth of 32 KiB then is 32 objects."""


def object_rules(policy: LeakDetectionPolicy) -> SeverityRules:
    """Give the rules for a count of objects, each of `OBJECT_WEIGHT` bytes; its growth in percent does not matter."""
    return SeverityRules(
        growth_bytes=policy.thresholds.object_count_growth * OBJECT_WEIGHT,
        growth_percent=float("inf"),
        sensitivity=policy.sensitivity,
    )


def scaled_thresholds(policy: LeakDetectionPolicy) -> dict[str, float]:
    """Give the thresholds as they act: multiplied by the factor of the sensitivity."""
    factor = DEFAULT_THRESHOLDS.severity.sensitivity_factor(policy.sensitivity)
    return {
        "memory_growth_mb": policy.thresholds.memory_growth_mb * factor,
        "memory_growth_percent": policy.thresholds.memory_growth_percent * factor,
        "object_count_growth": policy.thresholds.object_count_growth * factor,
    }
