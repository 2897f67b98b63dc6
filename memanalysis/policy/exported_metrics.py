"""What the metrics of a watched service are called in monitoring systems; each has the label ``service``."""

__all__ = ["BUDGET_BYTES", "MEMORY_BYTES", "SERVICE_LABEL", "SEVERITY", "SEVERITY_LEVELS"]

SERVICE_LABEL = "service"

MEMORY_BYTES = "memanalysis_memory_bytes"
"""The memory that counts against the budget."""
BUDGET_BYTES = "memanalysis_budget_bytes"
"""The whole budget."""
SEVERITY = "memanalysis_leak_severity"
"""Severity of the leak, as its place in ``SEVERITY_LEVELS``."""

SEVERITY_LEVELS = ("none", "low", "medium", "high", "critical")
