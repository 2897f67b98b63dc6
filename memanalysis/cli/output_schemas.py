"""The JSON Schemas of what the commands print with ``--json``: from the records and columns that are printed."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from memanalysis.analysis.budgets.budget_breaches import BREACH_COLUMNS, Budget
from memanalysis.analysis.comparison import COMPARISON_COLUMNS, Change
from memanalysis.analysis.leak_pivot import LeakPivot
from memanalysis.analysis.leaks.leak_histories import HISTORY_COLUMNS, STATUSES
from memanalysis.analysis.leaks.site_ranking import RANK_COLUMNS
from memanalysis.analysis.verdict import (
    SEVERITIES,
    UNREADABLE,
    VERDICT_COLUMNS,
    VERDICT_DTYPES,
    Origin,
    Shape,
)
from memanalysis.analysis.weekly_levels import LEVEL_COLUMNS, SLOPE_COLUMNS
from memanalysis.cli.doctor_command import DoctorFindings
from memanalysis.cli.export_command import ExportedHeap
from memanalysis.cli.import_command import ImportedRows
from memanalysis.cli.policy_command import PolicySummary, PolicyValue
from memanalysis.cli.record_command import Recorded
from memanalysis.cli.sweep_command import SweptPackage
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.ledger.convert import Converted
from memanalysis.ledger.info import LedgerInfo
from memanalysis.ledger.maintenance.compact import Compacted
from memanalysis.reports.open_cell import OpenCell
from memanalysis.reports.post_mortem import PostMortem
from memanalysis.verdicts.gate import Finding
from memanalysis.verdicts.release_changes import CHANGE_COLUMNS, LINE_COLUMNS
from memanalysis.verdicts.run_ends import DEATHS
from memanalysis.verdicts.trend_events import DEATH_COLUMNS, MARK_COLUMNS
from memanalysis.verdicts.trend_facts import SERVICE_COLUMNS
from memanalysis.verdicts.trend_forecasts import FORECAST_COLUMNS

__all__ = ["SCHEMAS", "make_output_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
_WHOLE: Mapping[str, Any] = {"type": ["integer", "null"]}
_NUMBER: Mapping[str, Any] = {"anyOf": [{"type": ["number", "null"]}, {"enum": ["Infinity", "-Infinity"]}]}
"""Unknown is null. JSON has no infinity, so an infinite time is this word."""

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "float64": _NUMBER,
    "int64": {"type": "integer"},
    "Int64": _WHOLE,
    "bool": {"type": "boolean"},
    "object": _TEXT,
}

_WORDS = {
    "shape": [*get_args(Shape), UNREADABLE],
    "origin": [*get_args(Origin), None],
    "severity": [*SEVERITIES, None],
    "known": ["accepted", "expired", "new", None],
}
"""Columns of a verdict that hold one of a few words."""

_TEXTS_OF_A_SITE = (
    "service", "run_id", "site_id", "file", "function", "judged_from", "judged_to", "allocated_file",
    "allocated_function",
)  # fmt: skip

_NUMBERS_OF_A_CHANGE = frozenset({"before", "after", "change", "low", "high", "p_value"})


def make_output_schema(command: str) -> dict[str, Any]:
    """Return the schema of what a command prints with ``--json``, draft 2020-12.

    Parameters
    ----------
    command : str
        One of `SCHEMAS`, such as ``assess`` or ``policy show``.
    """
    return {"$schema": DIALECT, "title": f"memanalysis {command} --json", **SCHEMAS[command]()}


def _describe_verdicts() -> dict[str, Any]:
    return {"type": "array", "items": _describe_verdict()}


def _describe_verdict() -> dict[str, Any]:
    return _make_object({name: _describe_column(name) for name in VERDICT_COLUMNS})


def _describe_column(name: str) -> Mapping[str, Any]:
    return {"enum": _WORDS[name]} if name in _WORDS else _KINDS[VERDICT_DTYPES.get(name, "object")]


def _describe_demo() -> dict[str, Any]:
    counts = {name: {"type": "integer"} for name in ("runs", "samples", "sites", "objects", "events")}
    return _make_object(
        {
            "ledger": {"type": "string"},
            "report": {"type": "string"},
            "rows": _make_object(counts),
            "verdicts": _describe_verdicts(),
        }
    )


def _describe_comparison() -> dict[str, Any]:
    change: dict[str, Any] = dict.fromkeys(COMPARISON_COLUMNS, _TEXT)
    change |= dict.fromkeys(_NUMBERS_OF_A_CHANGE, _NUMBER)
    change |= dict.fromkeys(("line", "runs_before", "runs_after"), _WHOLE)
    change |= {"verdict": {"enum": list(get_args(Change))}}
    service = {
        "service": _TEXT,
        "verdict": {"enum": ["worse", "better", "same"]},
        "sentences": {"type": "array", "items": {"type": "string"}},
    }
    return _make_object(
        {
            "format": {"const": "memanalysis-comparison"},
            "format_version": {"const": 1},
            "services": {"type": "array", "items": _make_object(service)},
            "changes": {"type": "array", "items": _make_object(change)},
            "not_compared": {"type": "array", "items": {"type": "string"}},
        }
    )


def _describe_report() -> dict[str, Any]:
    rows: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}
    numbers: Mapping[str, Any] = {"type": "array", "items": _NUMBER}
    references, records = msgspec.json.schema_components((PostMortem, OpenCell, Budget), ref_template="#/$defs/{name}")
    post_mortem, open_cell, budget = ({"anyOf": [reference, {"type": "null"}]} for reference in references)
    _require_all(records)
    records["PostMortem"]["properties"]["cause"] = {"enum": sorted(DEATHS)}
    site = dict.fromkeys((*RANK_COLUMNS, "peak_bytes"), _NUMBER)
    site |= dict.fromkeys(_TEXTS_OF_A_SITE, _TEXT)
    site |= dict.fromkeys(("line", "allocated_line"), _WHOLE)
    site["is_retainer"] = {"type": "boolean"}
    counts: dict[str, Any] = {name: {"type": "integer"} for name in ("n_sites", "n_breaches", "n_events")}
    section = {
        "service": _TEXT,
        "run_id": _TEXT,
        "metric": _TEXT,
        "budget": budget,
        "series": _make_object({"elapsed_s": numbers, "size_bytes": numbers}),
        "line": {
            "anyOf": [
                _make_object({"name": {"type": "string"}, "elapsed_s": numbers, "size_bytes": numbers}),
                {"type": "null"},
            ]
        },
        "sites": {"type": "array", "items": _make_object(site)},
        **dict.fromkeys(("breaches", "forecast", "events"), rows),
        **counts,
        "post_mortem": post_mortem,
        "open_cell": open_cell,
    }
    fleet = {"pivot": {"type": "object"}, **dict.fromkeys(("budgets", "growth", "leaks", "peers"), rows)}
    document = _make_object(
        {
            "format": {"const": "memanalysis-report"},
            "format_version": {"const": 1},
            "title": {"type": "string"},
            "ledger": {"type": "string"},
            "headline": {"type": "string"},
            "started": _TEXT,
            "ended": _TEXT,
            "has_policy": {"type": "boolean"},
            "n_services": {"type": "integer"},
            "fleet": {"anyOf": [_make_object(fleet), {"type": "null"}]},
            "verdicts": _describe_verdicts(),
            "services": {"type": "array", "items": _make_object(section)},
            "damage": rows,
        }
    )
    return {**document, "$defs": records}


def _describe_trend() -> dict[str, Any]:
    tables = {
        "services": SERVICE_COLUMNS,
        "by_week": ("service", "week", *LEVEL_COLUMNS, *SLOPE_COLUMNS),
        "leaks": HISTORY_COLUMNS,
        "releases": (*CHANGE_COLUMNS, *LINE_COLUMNS),
        "breaches": BREACH_COLUMNS,
        "deaths": DEATH_COLUMNS,
        "forecasts": FORECAST_COLUMNS,
        "marks": MARK_COLUMNS,
    }
    rows = {
        name: {"type": "array", "items": _make_object({column: _describe_trend_column(column) for column in columns})}
        for name, columns in tables.items()
    }
    return _make_object(
        {
            "format": {"const": "memanalysis-trend"},
            "format_version": {"const": 1},
            "ledger": {"type": "string"},
            "headline": {"type": "string"},
            "since": {"type": "string"},
            "until": {"type": "string"},
            "weeks": {"type": "integer"},
            "has_policy": {"type": "boolean"},
            **rows,
        }
    )


def _describe_trend_column(name: str) -> Mapping[str, Any]:
    if name == "status":
        return {"enum": [*STATUSES, None]}
    if name == "cause":
        return {"enum": sorted(DEATHS)}
    if name == "is_running":
        return {"type": "boolean"}
    if name in ("week", "runs", "deaths", "responsible_line", "line", "runs_before", "runs_after"):
        return _WHOLE
    return _NUMBER if name in _NUMBERS_OF_A_CHANGE or name.endswith(("_bytes", "_s")) else _TEXT


def _make_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these properties, all of them and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _describe_record(record: Any) -> dict[str, Any]:
    """Return the schema of a dataclass, or of a list of it."""
    schema = msgspec.json.schema(record)
    _require_all(schema.get("$defs", {}))
    return schema


def _require_all(definitions: Mapping[str, dict[str, Any]]) -> None:
    """Have objects hold all their properties, and no others."""
    for definition in definitions.values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            definition["additionalProperties"] = False


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "assess": _describe_verdicts,
    "check": lambda: _describe_record(list[Finding]),
    "compact": lambda: _describe_record(Compacted),
    "compare": _describe_comparison,
    "convert": lambda: _describe_record(Converted),
    "demo": _describe_demo,
    "doctor": lambda: _describe_record(DoctorFindings),
    "export": lambda: _describe_record(ExportedHeap),
    "import": lambda: _describe_record(ImportedRows),
    "info": lambda: _describe_record(LedgerInfo),
    "pivot": lambda: _describe_record(LeakPivot),
    "policy check": lambda: _describe_record(PolicySummary),
    "policy show": lambda: _describe_record(list[PolicyValue]),
    "record": lambda: _describe_record(Recorded),
    "report": _describe_report,
    "sweep": lambda: _describe_record(SweptPackage),
    "test": lambda: _describe_record(LeakFinding),
    "trend": _describe_trend,
}
"""What describes the output of each command that has ``--json``."""
