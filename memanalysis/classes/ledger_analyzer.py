"""`LedgerAnalyzer`: extremes, averages and growth of the entries of a JSON ledger, by service and in all.

Plain arithmetic on what was recorded, in MB of 2**20 bytes and hours; ``assess`` decides whether growth is a
leak. Unknown is None: readings that are None are left out, and a service without any has None throughout.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

__all__ = ["Entry", "HasEntries", "LedgerAnalyzer", "measure_growth", "summarize_all", "summarize_service"]

SECONDS_AN_HOUR = 3600.0


class Entry(Protocol):
    """One reading; ``epoch_s``, where an entry has it, is taken before a ``timestamp`` of epoch seconds."""

    @property
    def timestamp(self) -> Any:
        """Epoch seconds."""

    @property
    def service_name(self) -> str:
        """Service that was read."""

    @property
    def memory_usage_mb(self) -> float | None:
        """MB, or None."""

    @property
    def object_count(self) -> int | None:
        """Objects, or None."""


class HasEntries(Protocol):
    """Anything with entries, such as a ``MemoryLedger``."""

    @property
    def entries(self) -> Sequence[Any]:
        """Readings, in any order."""


class LedgerAnalyzer:
    """Summaries of a ledger's entries, of what they are when asked.

    Parameters
    ----------
    ledger : object with ``entries``
        Such as a ``MemoryLedger``.
    """

    def __init__(self, ledger: HasEntries) -> None:
        self.ledger = ledger

    def get_service_summary(self, service: str) -> dict[str, Any]:
        """Give the extremes, averages and newest readings of one service, and the time they span."""
        return summarize_service(self.ledger.entries, service)

    def detect_memory_growth(self, service: str) -> dict[str, Any]:
        """Give the growth of one service from its first reading to its last."""
        return measure_growth(self.ledger.entries, service)

    def get_global_summary(self) -> dict[str, Any]:
        """Give the summaries of all services, and what they use together."""
        return summarize_all(self.ledger.entries)


def summarize_service(entries: Iterable[Entry], service: str) -> dict[str, Any]:
    """Summary of one service.

    Returns
    -------
    dict
        ``service``, ``entry_count``, ``memory_stats`` (``min_mb``, ``max_mb``, ``avg_mb``, ``latest_mb``),
        ``object_stats`` (``min_count``, ``max_count``, ``avg_count``, ``latest_count``) and ``time_range`` (``first``
        and ``last`` in epoch seconds, ``duration_hours``). Without entries the count is 0 and the rest is None.
    """
    own = _in_time(entry for entry in entries if entry.service_name == service)
    memory = _statistics([entry.memory_usage_mb for entry in own])
    objects = _statistics([entry.object_count for entry in own])
    return {
        "service": service,
        "entry_count": len(own),
        "memory_stats": {f"{name}_mb": value for name, value in memory.items()},
        "object_stats": {f"{name}_count": value for name, value in objects.items()},
        "time_range": _time_range(own),
    }


def measure_growth(entries: Iterable[Entry], service: str) -> dict[str, Any]:
    """Growth of one service's memory from its first known reading to its last.

    Returns
    -------
    dict
        ``service``, ``total_growth_mb``, ``duration_hours``, ``growth_rate_mb_per_hour``, ``growth_percent`` of the
        first reading, ``first_reading`` and ``last_reading`` in MB. Growth needs two readings, a rate some time between
        them, a percentage a first reading above zero: what lacks these is None.
    """
    own = _in_time(entry for entry in entries if entry.service_name == service)
    known = [(_epoch_s(entry), entry.memory_usage_mb) for entry in own if entry.memory_usage_mb is not None]
    first = known[0][1] if known else None
    last = known[-1][1] if known else None
    growth = hours = None
    if len(known) > 1:
        growth = known[-1][1] - known[0][1]
        hours = (known[-1][0] - known[0][0]) / SECONDS_AN_HOUR
    return {
        "service": service,
        "total_growth_mb": growth,
        "duration_hours": hours,
        "growth_rate_mb_per_hour": growth / hours if growth is not None and hours else None,
        "growth_percent": 100 * growth / first if growth is not None and first else None,
        "first_reading": first,
        "last_reading": last,
    }


def summarize_all(entries: Iterable[Entry]) -> dict[str, Any]:
    """Summary of a whole ledger.

    Returns
    -------
    dict
        ``entry_count``, ``service_count``, ``services`` (name to summary, by name), ``total_latest_mb`` (the newest
        readings of all services together) and ``time_range``.
    """
    everything = _in_time(entries)
    by_service: dict[str, list[Entry]] = {}
    for entry in everything:
        by_service.setdefault(entry.service_name, []).append(entry)
    services = {name: summarize_service(by_service[name], name) for name in sorted(by_service)}
    latest = [summary["memory_stats"]["latest_mb"] for summary in services.values()]
    known = [value for value in latest if value is not None]
    return {
        "entry_count": len(everything),
        "service_count": len(services),
        "services": services,
        "total_latest_mb": sum(known) if known else None,
        "time_range": _time_range(everything),
    }


def _in_time(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=_epoch_s)


def _epoch_s(entry: Entry) -> float:
    return float(getattr(entry, "epoch_s", entry.timestamp))


def _statistics(readings: Sequence[float | None]) -> dict[str, float | None]:
    known = [reading for reading in readings if reading is not None]
    if not known:
        return {"min": None, "max": None, "avg": None, "latest": None}
    return {"min": min(known), "max": max(known), "avg": sum(known) / len(known), "latest": known[-1]}


def _time_range(in_time: Sequence[Entry]) -> dict[str, float | None]:
    if not in_time:
        return {"first": None, "last": None, "duration_hours": None}
    first, last = _epoch_s(in_time[0]), _epoch_s(in_time[-1])
    return {"first": first, "last": last, "duration_hours": (last - first) / SECONDS_AN_HOUR}
