"""How much memory a recorded service had: the limit of its container, else the memory of its machine.

A budget that is a share of the limit, such as ``80% of limit``, follows what was recorded and not where it is judged.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from memanalysis.ledger.reading.ledger import Ledger

__all__ = ["MACHINE_BYTES", "find_limits", "read_limits"]

MACHINE_BYTES = "machine_bytes"
"""What the data of an event ``start`` calls the memory of the machine."""


def read_limits(ledger: Ledger, services: Iterable[str]) -> dict[str, float]:
    """Return the limit of each service of a ledger, in bytes; of those only where it was recorded."""
    wanted = sorted(services)
    samples = ledger.read("samples", columns=("service", "limit_bytes"), services=wanted)
    return find_limits(samples, lambda: ledger.read("events", columns=("service", "kind", "data"), services=wanted))


def find_limits(samples: pd.DataFrame, read_events: Callable[[], pd.DataFrame]) -> dict[str, float]:
    """Return the limit of each service in samples, or where it has none the memory of its machine, from an event."""
    limits: dict[str, float] = {}
    if "limit_bytes" in samples:
        known = samples[samples["limit_bytes"].notna()]
        last = known.groupby("service", observed=True)["limit_bytes"].last()
        limits = {str(service): float(limit) for service, limit in last.items()}
    if set(samples["service"].dropna()) - limits.keys():
        limits = _read_machines(read_events()) | limits
    return limits


def _read_machines(events: pd.DataFrame) -> dict[str, float]:
    starts = events[events["kind"] == "start"]
    found = {}
    for service, data in zip(starts["service"], starts["data"], strict=True):
        size = _read_number(data.get(MACHINE_BYTES)) if isinstance(data, dict) else None
        if size is not None:
            found[service] = size
    return found


def _read_number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else None
