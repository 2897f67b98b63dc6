"""Read the answer of Prometheus to a range query of memory metrics: the JSON of ``/api/v1/query_range``.

``promtool query range --format=json`` prints the result in it, a list of series, which is read too.

A series becomes a run, its value ``rss_bytes``: the memory of a process, or of the container as if it were one. A limit
and counts that come with the same labels are columns of the run. ``NaN`` and the infinities are unknown.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from memanalysis._text import make_encodable
from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.imported_run import ImportedRun, make_samples

__all__ = ["COLUMNS", "parse_prometheus"]

COLUMNS: Mapping[str, str] = {
    "process_resident_memory_bytes": "rss_bytes",
    "memanalysis_memory_bytes": "rss_bytes",
    "container_memory_working_set_bytes": "rss_bytes",
    "container_memory_rss": "rss_bytes",
    "container_memory_usage_bytes": "rss_bytes",
    "container_spec_memory_limit_bytes": "limit_bytes",
    "process_open_fds": "descriptor_count",
    "container_threads": "thread_count",
}
"""Metrics that are understood, and their columns; of several that are one column the first is taken."""

SERVICE_LABELS = ("container", "app", "service", "job", "pod")
"""Labels that name a service: the first that a series has. The job of a container's metrics is that of the node."""

HOST_LABELS = ("pod", "instance", "node")

MEMORY = "rss_bytes"

MAX_BYTES = 2**60
MAX_EPOCH_S = 253_402_300_800.0

_NEVER_ZERO = frozenset({MEMORY, "limit_bytes"})
"""A limit of 0 is none, and a process that holds nothing is gone."""

_Values = dict[float, int | None]
_Labels = tuple[tuple[str, str], ...]


def parse_prometheus(
    content: bytes, *, name: str, service: str | None = None, service_label: str | None = None, is_memory: bool = False
) -> tuple[list[ImportedRun], list[str]]:
    """Return a run a series of memory, and sentences on what was left out.

    Parameters
    ----------
    content : bytes
    name : str
        Of the file, for errors.
    service, service_label : str, optional
        Name of the service, or the label that names it; else the first of `SERVICE_LABELS` that a series has.
    is_memory : bool
        Whether a series whose metric has no name, or another one, is memory in bytes.

    Raises
    ------
    LedgerFormatError
        It is no such answer, or of other metrics; the text has the file and the place.
    """
    by_labels: dict[_Labels, dict[str, _Values]] = {}
    for place, series in _list_series(content, name):
        metric, labels, values = _parse_series(series, place)
        if metric not in COLUMNS and not is_memory:
            raise LedgerFormatError(
                f"{place}: needs a metric of {', '.join(COLUMNS)}, but got {metric or 'a series without a name'!r}. "
                "Query one of these, or pass --memory where the values are bytes of memory."
            )
        if metric in by_labels.setdefault(labels, {}):
            raise LedgerFormatError(f"{place}: has metric and labels of an earlier series. Remove one of them.")
        by_labels[labels][metric] = values
    runs, left_out = [], set()
    for labels, metrics in by_labels.items():
        columns: dict[str, _Values] = {}
        for metric in sorted(metrics, key=_rank):
            column = COLUMNS.get(metric, MEMORY)
            if column in columns:
                left_out.add(f"{metric or 'a series without a name'}, where another metric of a series is its memory")
            columns.setdefault(column, metrics[metric])
        if MEMORY in columns:
            service_name = service or _find_service(labels, service_label, name)
            runs.append(_make_run(labels, columns, service=service_name, content=content))
        else:
            left_out.add(f"{', '.join(metrics)}, where no memory has its labels")
    if not runs:
        raise LedgerFormatError(f"{name}: needs series of memory, but has none. Query another metric or time.")
    return runs, sorted(left_out)


def _list_series(content: bytes, name: str) -> Iterator[tuple[str, Any]]:
    try:
        answer = json.loads(content)
    except json.JSONDecodeError as exc:
        raise LedgerFormatError(
            f"{name}:{exc.lineno}: needs the JSON of a range query, but it breaks at column {exc.colno}: {exc.msg}. "
            "Save the whole answer."
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise LedgerFormatError(f"{name}: needs the JSON of a range query, but it cannot be read: {exc}.") from exc
    if isinstance(answer, list):  # what promtool prints is the result alone
        answer = {"status": "success", "data": {"resultType": "matrix", "result": answer}}
    if not isinstance(answer, dict) or answer.get("status") != "success":
        error = answer.get("error") if isinstance(answer, dict) else None
        found = f"the error {str(error)[:200]!r}" if error else "no answer of Prometheus"
        raise LedgerFormatError(f"{name}: needs a range query that succeeded, but has {found}. Query again.")
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    if not isinstance(data, dict) or kind != "matrix" or not isinstance(data.get("result"), list):
        raise LedgerFormatError(
            f"{name}: needs a result of type 'matrix', but has {kind!r}. Save an answer of /api/v1/query_range."
        )
    for at, series in enumerate(data["result"]):
        yield f"{name}: data.result[{at}]", series


def _parse_series(series: Any, place: str) -> tuple[str, _Labels, _Values]:
    metric = series.get("metric") if isinstance(series, dict) else None
    pairs = series.get("values") if isinstance(series, dict) else None
    if not isinstance(metric, dict) or not isinstance(pairs, list) or not pairs:
        raise LedgerFormatError(f"{place}: needs metric and values, but has neither or no values. Query plain numbers.")
    labels = {make_encodable(str(label)): make_encodable(str(value)) for label, value in metric.items()}
    metric_name = labels.pop("__name__", "")
    values: _Values = {}
    for at, pair in enumerate(pairs):
        moment, value = _parse_pair(pair, f"{place}.values[{at}]")
        values[moment] = value or None if COLUMNS.get(metric_name, MEMORY) in _NEVER_ZERO else value
    return metric_name, tuple(sorted(labels.items())), values


def _parse_pair(pair: Any, place: str) -> tuple[float, int | None]:
    try:
        moment, text = pair
        value = math.nan if isinstance(text, bool) else float(text)
        is_moment = isinstance(moment, int | float) and not isinstance(moment, bool) and 0 < moment < MAX_EPOCH_S
        is_value = not isinstance(text, bool) and not (math.isfinite(value) and not 0 <= value < MAX_BYTES)
    except (TypeError, ValueError, OverflowError):
        is_moment = is_value = False
    if not is_moment or not is_value:
        raise LedgerFormatError(
            f"{place}: needs epoch seconds and a number that is not negative, but got {str(pair)[:60]}. Repair it."
        )
    return float(moment), round(value) if math.isfinite(value) else None


def _make_run(labels: _Labels, columns: Mapping[str, _Values], *, service: str, content: bytes) -> ImportedRun:
    named = dict(labels)
    return ImportedRun(
        service=service,
        key=b"prometheus\0" + json.dumps(labels).encode() + content,
        samples=make_samples(
            [(at, {column: values.get(at) for column, values in columns.items()}) for at in columns[MEMORY]]
        ),
        labels=named,
        host=next((named[label] for label in HOST_LABELS if named.get(label)), None),
    )


def _find_service(labels: _Labels, service_label: str | None, name: str) -> str:
    wanted = SERVICE_LABELS if service_label is None else (service_label,)
    named = dict(labels)
    found = next((named[label] for label in wanted if named.get(label)), "")
    if not found:
        raise LedgerFormatError(
            f"{name}: needs a label {' or '.join(wanted)} that names the service, but a series has "
            f"{', '.join(named) or 'none'}. Name one with --service-label, or the service with --service."
        )
    return found


def _rank(metric: str) -> int:
    return list(COLUMNS).index(metric) if metric in COLUMNS else len(COLUMNS)
