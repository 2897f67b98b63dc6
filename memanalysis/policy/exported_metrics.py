"""What the metrics of a watched service are called in monitoring systems; each has the label ``service``."""

__all__ = [
    "ALERTS_TOTAL",
    "BUDGET_BYTES",
    "HEADROOM_BYTES",
    "LEVEL_LABEL",
    "MEMORY_BYTES",
    "SERVICE_LABEL",
    "SEVERITY",
    "SEVERITY_LEVELS",
    "SLOPE_BYTES_PER_S",
]

SERVICE_LABEL = "service"
LEVEL_LABEL = "level"

MEMORY_BYTES = "memanalysis_memory_bytes"
"""The memory that counts against the budget."""
BUDGET_BYTES = "memanalysis_budget_bytes"
"""The whole budget."""
HEADROOM_BYTES = "memanalysis_headroom_bytes"
"""What is left of the budget, below 0 above it."""
SLOPE_BYTES_PER_S = "memanalysis_slope_bytes_per_second"
"""How fast memory grows, by the last verdict."""
SEVERITY = "memanalysis_leak_severity"
"""Severity of the leak, as its place in ``SEVERITY_LEVELS``."""
ALERTS_TOTAL = "memanalysis_alerts_total"
"""Alerts that went out in this run, with the label ``level``."""

SEVERITY_LEVELS = ("none", "low", "medium", "high", "critical")
