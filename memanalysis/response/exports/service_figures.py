"""What a watched service exports: its figures now, and which metric each of them is."""

from collections.abc import Callable
from dataclasses import dataclass, field

from memanalysis.policy.exported_metrics import (
    BUDGET_BYTES,
    HEADROOM_BYTES,
    MEMORY_BYTES,
    SEVERITY,
    SEVERITY_LEVELS,
    SLOPE_BYTES_PER_S,
)

__all__ = ["GAUGES", "ExportedGauge", "ServiceFigures"]


@dataclass(slots=True)
class ServiceFigures:
    """The figures of one service now; None is what is not known, and is not exported.

    Parameters
    ----------
    service : str
    used_bytes, budget_bytes : float or None
        What counts against the budget, and the whole budget.
    slope_bytes_per_s : float or None
        How fast memory grows, by the last verdict.
    severity : str or None
        Severity of the leak, by the last verdict.
    alert_counts : dict
        Alerts that went out in this run, by level.

    Examples
    --------
    >>> ServiceFigures("api", used_bytes=90.0, budget_bytes=100.0).headroom_bytes
    10.0
    """

    service: str
    used_bytes: float | None = None
    budget_bytes: float | None = None
    slope_bytes_per_s: float | None = None
    severity: str | None = None
    alert_counts: dict[str, int] = field(default_factory=dict)

    @property
    def headroom_bytes(self) -> float | None:
        """What is left of the budget, below 0 above it."""
        used, budget = self.used_bytes, self.budget_bytes
        return None if used is None or budget is None else budget - used

    @property
    def severity_place(self) -> int | None:
        """The severity as its place in ``SEVERITY_LEVELS``."""
        return None if self.severity is None else SEVERITY_LEVELS.index(self.severity)


@dataclass(frozen=True, slots=True)
class ExportedGauge:
    """One metric: its name, its unit in UCUM, what it means, and where it is read."""

    name: str
    unit: str
    meaning: str
    read: Callable[[ServiceFigures], float | None]


GAUGES = (
    ExportedGauge(MEMORY_BYTES, "By", "Memory that counts against the budget.", lambda one: one.used_bytes),
    ExportedGauge(BUDGET_BYTES, "By", "The whole memory budget.", lambda one: one.budget_bytes),
    ExportedGauge(
        HEADROOM_BYTES, "By", "What is left of the memory budget, below 0 above it.", lambda one: one.headroom_bytes
    ),
    ExportedGauge(
        SLOPE_BYTES_PER_S, "By/s", "Growth of memory by the last verdict.", lambda one: one.slope_bytes_per_s
    ),
    ExportedGauge(
        SEVERITY, "1", f"Severity of the leak: 0 {SEVERITY_LEVELS[0]} to 4 {SEVERITY_LEVELS[-1]}.",
        lambda one: one.severity_place,
    ),
)  # fmt: skip
