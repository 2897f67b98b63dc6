"""What is there? The services of a ledger, and the runs of one with how each ended."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.assistant.answer_text import fit_answer, plain_value, quote_name, quote_text
from memanalysis.assistant.questions import ListRuns, ListServices
from memanalysis.assistant.served_ledgers import ServedLedgers
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.verdicts.run_ends import RunEnd, read_run_ends

__all__ = ["list_runs", "list_services"]

_KEYS = ["service", "run_id"]

_SPANS = [
    ("timestamp", "count", pc.CountOptions(mode="all")),
    *((column, end) for column in ("timestamp", "seq") for end in ("min", "max")),
]

_DTYPES = {pa.string(): pd.StringDtype("pyarrow"), pa.int64(): pd.Int64Dtype()}


def list_services(served: ServedLedgers, question: ListServices) -> str:
    """Return the services of a ledger with the number of their runs, the one that was recorded last first."""
    ledger = served.find_ledger(question.ledger)
    runs = _read_runs(ledger)
    groups = runs.groupby("service", dropna=False, observed=True)
    services = groups.agg(
        runs=("run_id", "size"), rows=("rows", "sum"), first=("first", "min"), last=("last", "max")
    ).reset_index()
    services = services.sort_values("last", ascending=False, kind="stable", na_position="last")

    def make(place: int) -> dict[str, Any]:
        row = services.iloc[place]
        return {
            "service": quote_name(row["service"]),
            "runs": int(row["runs"]),
            "from": {"table": "samples", "rows": int(row["rows"]), "time": _describe_span(row)},
        }

    head = {
        "ledger": question.ledger,
        "ledgers": len(served.ledgers),
        "path": quote_text(ledger.path, keeps_end=True),
        "has_policy": served.policy is not None,
        "files_left_out": len({record.file for record in ledger.damage_found}) or None,
    }
    return fit_answer(head, "services", make, count=len(services), offset=question.offset)


def list_runs(served: ServedLedgers, question: ListRuns) -> str:
    """Return the runs of a service, the latest first, with how each ended."""
    ledger = served.find_ledger(question.ledger)
    service = served.find_service(ledger, question.service)
    runs = _read_runs(ledger, service).sort_values("last", ascending=False, kind="stable", na_position="last")
    ends = read_run_ends(ledger)

    def make(place: int) -> dict[str, Any]:
        row = runs.iloc[place]
        end = ends.get((row["service"], row["run_id"]))
        entry = {"run_id": quote_name(row["run_id"]), **({} if end is None else _describe_end(end))}
        span = {"table": "samples", "rows": int(row["rows"]), "seq": _describe_seq(row), "time": _describe_span(row)}
        return {**entry, "from": span}

    head = {"service": quote_name(service)}
    return fit_answer(head, "runs", make, count=len(runs), offset=question.offset)


def _describe_end(end: RunEnd) -> dict[str, Any]:
    run, ending = end.run, end.ending
    error = ending.get("exception")
    place = {name: error.get(name) for name in ("type", "file", "line")} if isinstance(error, Mapping) else {}
    return {
        "ended_by": str(end.cause),
        "is_death": end.is_death,
        "started": plain_value(run["started"]),
        "ended": plain_value(run["ended"]),
        "pid": plain_value(run["pid"]),
        "host": quote_name(run["host"]),
        "release": quote_name(run["release"]),
        "trace": quote_name(run["trace"]),
        "signal": quote_name(ending.get("signal")),
        "exit_status": _find_number(ending.get("exit_status")),
        "oom_kills": _find_number(ending.get("oom_kills")),
        "exception": quote_name(place.get("type")),
        "exception_at": {
            "file": quote_text(place["file"], keeps_end=True),
            "line": _find_number(place["line"]),
        }
        if place.get("file")
        else None,
    }


def _find_number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _read_runs(ledger: Ledger, service: str | None = None) -> pd.DataFrame:
    """Return the runs that have samples: their number, and the span of their ``seq`` and of their time."""
    services = None if service is None else [service]
    found = ledger.aggregate("samples", _find_spans, columns=[*_KEYS, "seq", "timestamp"], services=services)
    spans: pd.DataFrame = found.to_pandas(types_mapper=_DTYPES.get)
    return (
        spans.groupby(_KEYS, dropna=False, observed=True)
        .agg(
            rows=("timestamp_count", "sum"),
            first=("timestamp_min", "min"),
            last=("timestamp_max", "max"),
            first_seq=("seq_min", "min"),
            last_seq=("seq_max", "max"),
        )
        .reset_index()
    )


def _find_spans(rows: pa.Table) -> pa.Table:
    return rows.group_by(_KEYS).aggregate(_SPANS)


def _describe_span(row: "pd.Series[Any]") -> list[Any] | None:
    return None if pd.isna(row["first"]) else [plain_value(row["first"]), plain_value(row["last"])]


def _describe_seq(row: "pd.Series[Any]") -> list[Any] | None:
    return None if pd.isna(row["first_seq"]) else [plain_value(row["first_seq"]), plain_value(row["last_seq"])]
