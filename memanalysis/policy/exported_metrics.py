"""What the metrics of a watched service are called in monitoring systems; each has the label ``service``."""

__all__ = ["BUDGET_BYTES", "HEADROOM_BYTES", "MEMORY_BYTES", "SERVICE_LABEL", "SEVERITY", "SEVERITY_LEVELS", "SLOPE"]

SERVICE_LABEL = "service"

MEMORY_BYTES = "memanalysis_memory_bytes"
"""The memory that counts against the budget."""
BUDGET_BYTES = "memanalysis_budget_bytes"
"""The whole budget."""
HEADROOM_BYTES = "memanalysis_headroom_bytes"
"""What is left of the budget, negative above it."""
SLOPE = "memanalysis_slope_bytes_per_second"
"""Growth, by the verdict of the run."""
SEVERITY = "memanalysis_leak_severity"
"""Severity of the leak, as its place in ``SEVERITY_LEVELS``."""

SEVERITY_LEVELS = ("none", "low", "medium", "high", "critical")
