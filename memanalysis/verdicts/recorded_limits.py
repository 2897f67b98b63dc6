"""How much memory a recorded service had: the limit of its container, else the memory of its machine.

A budget that is a share of the limit, such as ``80% of limit``, follows what was recorded and not where it is judged.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.ledger.reading.dataframes import frame_from_table, sort_rows
from memanalysis.ledger.reading.ledger import Ledger

__all__ = ["MACHINE_BYTES", "find_limits", "read_limits"]

MACHINE_BYTES = "machine_bytes"
"""What the data of an event ``start`` calls the memory of the machine."""

_LIMIT_COLUMNS = ("service", "run_id", "seq", "timestamp", "limit_bytes")

_START_COLUMNS = ("service", "run_id", "timestamp", "kind", "data")

_LATEST = int(np.iinfo(np.int64).max)
"""Stands for an unknown ``seq`` or time: such rows are the last of a run."""


def read_limits(ledger: Ledger, services: Iterable[str]) -> dict[str, float]:
    """Return the limit of each service of a ledger, in bytes; of those only where it was recorded.

    Of the samples a row a run and limit is held.
    """
    wanted = sorted(services)
    rows = ledger.aggregate("samples", _find_limits_of_runs, columns=_LIMIT_COLUMNS, services=wanted)
    samples = sort_rows(rows).select(["service", "limit_bytes"]).to_pandas()
    return find_limits(samples, lambda: _read_starts(ledger, wanted))


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


def _find_limits_of_runs(rows: pa.Table) -> pa.Table:
    """Return a row for each limit that a run had, with when it had it last."""
    ordered = pa.table(
        {
            "service": rows["service"],
            "run_id": rows["run_id"],
            "limit_bytes": rows["limit_bytes"],
            **{name: rows[name].cast(pa.int64()).fill_null(_LATEST) for name in ("seq", "timestamp")},
        }
    )
    last = ordered.group_by(["service", "run_id", "limit_bytes"]).aggregate([("seq", "max"), ("timestamp", "max")])
    return last.rename_columns([name.removesuffix("_max") for name in last.column_names])


def _read_starts(ledger: Ledger, services: list[str]) -> pd.DataFrame:
    rows = ledger.aggregate(
        "events", lambda rows: rows.filter(pc.equal(rows["kind"], "start")), columns=_START_COLUMNS, services=services
    )
    return frame_from_table(sort_rows(rows), "events", ("service", "kind", "data"))


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
