"""How much memory each service may use: the budget of one service, and the section that holds them all.

MB are 2**20 bytes, percents are of the budget and go from 0 to 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.checks import MAX_MB, Place, check_mapping, check_number, check_size_mb, found
from memanalysis.policy.sections import declare_key, parse_keys

__all__ = ["MemoryBudget", "MemoryBudgets", "check_budgets"]

_MB = check_number("MB", above=0, high=MAX_MB, example=100)
_PERCENT = check_number("percent", above=0, high=100, example=80)


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How much memory one service may use, in MB, and the percentages of it from which somebody is warned.

    Raises
    ------
    InvalidArgumentError
        A budget that is not above 0, a threshold outside 0 to 100, or a warning above the critical threshold.
    """

    max_memory_mb: float = declare_key(512, _MB)
    warning_threshold_percent: float = declare_key(80, _PERCENT)
    critical_threshold_percent: float = declare_key(95, _PERCENT)

    def __post_init__(self) -> None:
        if not _is_number(self.max_memory_mb) or not 0 < self.max_memory_mb <= MAX_MB:
            raise InvalidArgumentError(
                f"MemoryBudget needs max_memory_mb above 0 MB up to {MAX_MB}, but got {found(self.max_memory_mb)}. "
                "Give the MB that the service may use, for example 512."
            )
        percents = (self.warning_threshold_percent, self.critical_threshold_percent)
        if not all(map(_is_number, percents)) or not 0 < percents[0] <= percents[1] <= 100:
            raise InvalidArgumentError(
                "MemoryBudget needs 0 < warning_threshold_percent <= critical_threshold_percent <= 100, but got "
                f"{found(self.warning_threshold_percent)} and {found(self.critical_threshold_percent)}. "
                "Give for example 80 and 95."
            )

    @property
    def warning_mb(self) -> float:
        """MB from which the status is warning."""
        return self.max_memory_mb * self.warning_threshold_percent / 100

    @property
    def critical_mb(self) -> float:
        """MB from which the status is critical."""
        return self.max_memory_mb * self.critical_threshold_percent / 100


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_global(value: Any, place: Place) -> MemoryBudget:
    return _parse_budget(MemoryBudget(), value, place)


def _check_services(value: Any, place: Place) -> Mapping[str, Any]:
    return check_mapping(value, place, example="{messaging: 100MB}")


@dataclass(frozen=True, slots=True)
class MemoryBudgets:
    """Section ``memory_budgets``; ``global`` is a word of Python, so its field is ``global_``."""

    global_: MemoryBudget = field(default=MemoryBudget(), metadata={"check": _check_global})
    services: Mapping[str, MemoryBudget] = field(default_factory=dict, metadata={"check": _check_services})


def check_budgets(value: Any, place: Place) -> MemoryBudgets:
    """Check the section; a service takes from ``global`` what it leaves out, wherever in the file that stands."""
    values = parse_keys(MemoryBudgets(), value, place)
    shared = values.get("global_", MemoryBudget())
    below = place.child("services")
    services = {
        name: _check_service(shared, name, budget, below.child(name))
        for name, budget in values.get("services", {}).items()
    }
    return MemoryBudgets(global_=shared, services=services)


def _check_service(shared: MemoryBudget, name: str, value: Any, place: Place) -> MemoryBudget:
    if not name.strip():
        raise place.error("needs the name of a service, but got an empty one. Write for example messaging: 100MB.")
    if isinstance(value, Mapping):
        return _parse_budget(shared, value, place)
    return replace(shared, max_memory_mb=check_size_mb(value, place))


def _parse_budget(base: MemoryBudget, mapping: Any, place: Place) -> MemoryBudget:
    values = parse_keys(base, mapping, place)
    warning = values.get("warning_threshold_percent", base.warning_threshold_percent)
    critical = values.get("critical_threshold_percent", base.critical_threshold_percent)
    if warning > critical:
        given = "warning" if "warning_threshold_percent" in values else "critical"
        raise place.child(f"{given}_threshold_percent").error(
            f"needs a warning threshold not above the critical one, but got warning {warning:g} and critical "
            f"{critical:g} percent. Write a warning of {critical:g} or less, or a critical of {warning:g} or more."
        )
    return replace(base, **values)
