"""When each run of a ledger was recorded, by its samples. Of a ledger of any size only some rows are held at a time."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

import pandas as pd
import pyarrow as pa

from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.verdicts.engines import IN_PROCESS, Engine

__all__ = ["Moment", "find_range", "join_spans", "measure_spans", "read_spans"]

Moment = float | str | datetime
"""Seconds since 1970, ISO 8601 text or a datetime; without a zone it is UTC."""

_KEYS = ["service", "run_id"]

_TYPES = dict.fromkeys(_KEYS, "string") | dict.fromkeys(("first", "last"), "datetime64[us, UTC]") | {"count": "int64"}

_ENDS = [("timestamp", "min"), ("timestamp", "max"), ("timestamp", "count")]


def read_spans(
    ledger: Ledger,
    *,
    services: Collection[str] | None = None,
    since: Moment | None = None,
    parts: Sequence[LedgerPart] = (WHOLE,),
    engine: Engine = IN_PROCESS,
) -> pd.DataFrame:
    """Return ``service``, ``run_id``, and of the samples of each run ``first`` and ``last`` time and ``count``.

    A run whose samples have no time is there too, with NaT; ``count`` is the number of those that have one.
    """
    return join_spans(engine.map(partial(_read_spans_of, ledger, services, since), parts))


def measure_spans(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the same of samples that were read, which need not have all of the three columns."""
    known = samples.reindex(columns=[*_KEYS, "timestamp"])
    moments = known.groupby(_KEYS, dropna=False, observed=True)["timestamp"]
    spans: pd.DataFrame = moments.agg(first="min", last="max", count="count").reset_index()
    return _with_types(spans)


def join_spans(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the spans of some parts of a ledger by service and run; no part cuts a run."""
    spans = list(parts)
    found = pd.concat([one for one in spans if len(one)] or spans[:1], ignore_index=True)
    return found.sort_values(_KEYS, kind="stable", ignore_index=True)


def find_range(spans: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    """Return the first and last moment of the samples of some runs; None where no time is known."""
    first, last = spans["first"].min(), spans["last"].max()
    return (None, None) if pd.isna(first) else (first.to_pydatetime(), last.to_pydatetime())


def _read_spans_of(
    ledger: Ledger, services: Collection[str] | None, since: Moment | None, part: LedgerPart
) -> pd.DataFrame:
    columns = [*_KEYS, "timestamp"]
    ends = ledger.aggregate("samples", _find_ends, columns=columns, services=services, since=since, part=part)
    of_runs = ends.to_pandas().groupby(_KEYS, dropna=False, observed=True)
    spans: pd.DataFrame = of_runs.agg(
        first=("timestamp_min", "min"), last=("timestamp_max", "max"), count=("timestamp_count", "sum")
    ).reset_index()
    return _with_types(spans)


def _with_types(spans: pd.DataFrame) -> pd.DataFrame:
    are_known = {name: spans[name].notna().any() for name in ("first", "last")}
    unknown = {name: pd.Series(pd.NaT, index=spans.index, dtype=_TYPES[name]) for name in are_known}
    return spans.assign(**{name: each for name, each in unknown.items() if not are_known[name]}).astype(_TYPES)


def _find_ends(rows: pa.Table) -> pa.Table:
    return rows.group_by(_KEYS).aggregate(_ENDS)
