"""How much memory each service may use: the budget of one service, and the section that holds them all.

MB are 2**20 bytes, percents are of the budget and go from 0 to 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from memanalysis._machine import read_machine_bytes
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.places import MAX_PROBLEMS, Place, Problems, found
from memanalysis.policy.sizes import LimitShare, read_size
from memanalysis.policy.validation import BROKEN, check_mapping, parse_keys
from memanalysis.policy.value_kinds import MAX_MB, Budget, MemoryMetric, Percent
from memanalysis.units import mb_from_bytes

__all__ = ["MemoryBudget", "MemoryBudgets", "parse_budgets"]


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How much memory one service may use, in MB, and the percentages of it from which somebody is warned.

    Parameters
    ----------
    max_memory_mb : float
    warning_threshold_percent, critical_threshold_percent : float
    metric : str
        Which memory counts: auto, rss, private, family or container.
    percent_of_limit : float or None
        Where the budget is a share of the limit, its percent. ``max_memory_mb`` is then what this makes of the limit
        that `for_limit` was given last, else of the memory of this machine.

    Raises
    ------
    InvalidArgumentError
        A budget that is not above 0, a threshold outside 0 to 100, or a warning above the critical threshold.
    """

    max_memory_mb: Budget = 512
    warning_threshold_percent: Percent = 80
    critical_threshold_percent: Percent = 95
    metric: MemoryMetric = "auto"
    percent_of_limit: float | None = field(default=None, kw_only=True, metadata={"is_key": False})

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

    def for_limit(self, limit_bytes: float | None) -> "MemoryBudget":
        """Give the budget under a limit: another one where it is a share of the limit, and the limit is known."""
        if self.percent_of_limit is None or limit_bytes is None or not 0 < mb_from_bytes(limit_bytes) <= MAX_MB:
            return self
        return replace(self, max_memory_mb=mb_from_bytes(limit_bytes) * self.percent_of_limit / 100)

    def to_mapping(self) -> dict[str, Any]:
        """Give the budget as a policy file would hold it."""
        return {
            "max_memory_mb": (
                self.max_memory_mb if self.percent_of_limit is None else f"{self.percent_of_limit:.15g}% of limit"
            ),
            "warning_threshold_percent": self.warning_threshold_percent,
            "critical_threshold_percent": self.critical_threshold_percent,
            "metric": self.metric,
        }


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _parse_global(value: Any, place: Place, problems: Problems) -> MemoryBudget:
    return _parse_budget(MemoryBudget(), value, place, problems)


def _parse_services(value: Any, place: Place, problems: Problems) -> Mapping[str, Any]:
    return check_mapping(value, place, problems, example="{messaging: 100MB}")


@dataclass(frozen=True, slots=True)
class MemoryBudgets:
    """Section ``memory_budgets``; ``global`` is a word of Python, so its field is ``global_``."""

    global_: MemoryBudget = field(default=MemoryBudget(), metadata={"parse": _parse_global})
    services: Mapping[str, MemoryBudget] = field(default_factory=dict, metadata={"parse": _parse_services})


def parse_budgets(value: Any, place: Place, problems: Problems) -> MemoryBudgets:
    """Read the section; a service takes from ``global`` what it leaves out, wherever in the file that stands."""
    values = parse_keys(MemoryBudgets(), value, place, problems)
    shared = values.get("global_", MemoryBudget())
    below = place.child("services")
    services = {}
    for name, budget in values.get("services", {}).items():
        if len(problems) >= MAX_PROBLEMS:
            break
        services[name] = _parse_service(shared, name, budget, below.child(name), problems)
    return MemoryBudgets(global_=shared, services=services)


def _parse_service(shared: MemoryBudget, name: str, value: Any, place: Place, problems: Problems) -> MemoryBudget:
    if not name.strip():
        problems.append(place.error("the name of a service", "an empty one", "Write for example messaging: 100MB."))
    if isinstance(value, Mapping):
        return _parse_budget(shared, value, place, problems)
    size = _check_size(value, place, problems)
    return shared if size is BROKEN else replace(shared, **_size_fields(size))


def _parse_budget(base: MemoryBudget, mapping: Any, place: Place, problems: Problems) -> MemoryBudget:
    values = parse_keys(base, mapping, place, problems)
    if "max_memory_mb" in values:
        values |= _size_fields(values["max_memory_mb"])
    warning = values.get("warning_threshold_percent", base.warning_threshold_percent)
    critical = values.get("critical_threshold_percent", base.critical_threshold_percent)
    if warning > critical:
        given = "warning" if "warning_threshold_percent" in values else "critical"
        problems.append(
            place.child(f"{given}_threshold_percent").error(
                "a warning threshold not above the critical one",
                f"warning {warning:g} and critical {critical:g} percent",
                f"Write a warning of {critical:g} or less, or a critical of {warning:g} or more.",
            )
        )
        values = {name: value for name, value in values.items() if not name.endswith("_threshold_percent")}
    return replace(base, **values)


def _check_size(value: Any, place: Place, problems: Problems) -> float | LimitShare | Any:
    """Give the size that stands in place of a service's keys, such as ``100MB``, ``1.5 GiB`` or ``80% of limit``."""
    if value is BROKEN:
        return BROKEN
    needed = "a mapping, or a size above 0 with its unit"
    size = read_size(value) if isinstance(value, str) else None
    if isinstance(size, LimitShare) or (size is not None and 0 < size <= MAX_MB):
        return size
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_MB:
        problems.append(place.error(needed, f"{found(value)} without a unit", f"Write {value:.15g}MB."))
    elif isinstance(value, str):
        problems.append(place.error(needed, found(value), "Write for example 100MB, 1.5GB or 80% of limit."))
    else:
        problems.append(place.error(needed, found(value), "Write for example 100MB."))
    return BROKEN


def _size_fields(size: float | LimitShare) -> dict[str, Any]:
    if isinstance(size, LimitShare):
        machine_mb = mb_from_bytes(read_machine_bytes())
        return {"max_memory_mb": machine_mb * size.percent / 100, "percent_of_limit": size.percent}
    return {"max_memory_mb": size, "percent_of_limit": None}
