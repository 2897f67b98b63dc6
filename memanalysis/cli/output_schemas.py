"""The JSON Schemas of what the commands print with ``--json``: from the records and columns that are printed."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from memanalysis.analysis.budgets.budget_breaches import BREACH_COLUMNS
from memanalysis.analysis.comparison import COMPARISON_COLUMNS, Change
from memanalysis.analysis.leak_pivot import LeakPivot
from memanalysis.analysis.leaks.leak_histories import HISTORY_COLUMNS, STATUSES
from memanalysis.analysis.weekly_levels import LEVEL_COLUMNS, SLOPE_COLUMNS
from memanalysis.cli.doctor_command import DoctorFindings
from memanalysis.cli.export_command import ExportedHeap
from memanalysis.cli.import_command import ImportedRows
from memanalysis.cli.policy_command import PolicySummary, PolicyValue
from memanalysis.cli.record_command import Recorded
from memanalysis.cli.report_schema import describe_report
from memanalysis.cli.schema_parts import (
    NUMBER,
    TEXT,
    WHOLE,
    describe_record,
    describe_rows,
    describe_verdicts,
    make_object,
)
from memanalysis.cli.sweep_command import SweptPackage
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.ledger.convert import Converted
from memanalysis.ledger.info import LedgerInfo
from memanalysis.ledger.maintenance.compact import Compacted
from memanalysis.verdicts.gate import Finding
from memanalysis.verdicts.release_changes import CHANGE_COLUMNS, LINE_COLUMNS
from memanalysis.verdicts.run_ends import DEATHS
from memanalysis.verdicts.trend_events import DEATH_COLUMNS, MARK_COLUMNS
from memanalysis.verdicts.trend_facts import SERVICE_COLUMNS
from memanalysis.verdicts.trend_forecasts import FORECAST_COLUMNS

__all__ = ["SCHEMAS", "make_output_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NUMBERS_OF_A_CHANGE = frozenset({"before", "after", "change", "low", "high", "p_value"})


def make_output_schema(command: str) -> dict[str, Any]:
    """Return the schema of what a command prints with ``--json``, draft 2020-12.

    Parameters
    ----------
    command : str
        One of `SCHEMAS`, such as ``assess`` or ``policy show``.
    """
    return {"$schema": DIALECT, "title": f"memanalysis {command} --json", **SCHEMAS[command]()}


def _describe_demo() -> dict[str, Any]:
    counts = {name: {"type": "integer"} for name in ("runs", "samples", "sites", "objects", "events")}
    return make_object(
        {
            "ledger": {"type": "string"},
            "report": {"type": "string"},
            "rows": make_object(counts),
            "verdicts": describe_verdicts(),
        }
    )


def _describe_comparison() -> dict[str, Any]:
    change: dict[str, Any] = dict.fromkeys(COMPARISON_COLUMNS, TEXT)
    change |= dict.fromkeys(_NUMBERS_OF_A_CHANGE, NUMBER)
    change |= dict.fromkeys(("line", "runs_before", "runs_after"), WHOLE)
    change |= {"verdict": {"enum": list(get_args(Change))}}
    service = {
        "service": TEXT,
        "verdict": {"enum": ["worse", "better", "same"]},
        "sentences": {"type": "array", "items": {"type": "string"}},
    }
    return make_object(
        {
            "format": {"const": "memanalysis-comparison"},
            "format_version": {"const": 1},
            "services": describe_rows(service),
            "changes": describe_rows(change),
            "not_compared": {"type": "array", "items": {"type": "string"}},
        }
    )


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
        name: describe_rows({column: _describe_trend_column(column) for column in columns})
        for name, columns in tables.items()
    }
    return make_object(
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
        return WHOLE
    return NUMBER if name in _NUMBERS_OF_A_CHANGE or name.endswith(("_bytes", "_s")) else TEXT


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "assess": describe_verdicts,
    "check": lambda: describe_record(list[Finding]),
    "compact": lambda: describe_record(Compacted),
    "compare": _describe_comparison,
    "convert": lambda: describe_record(Converted),
    "demo": _describe_demo,
    "doctor": lambda: describe_record(DoctorFindings),
    "export": lambda: describe_record(ExportedHeap),
    "import": lambda: describe_record(ImportedRows),
    "info": lambda: describe_record(LedgerInfo),
    "pivot": lambda: describe_record(LeakPivot),
    "policy check": lambda: describe_record(PolicySummary),
    "policy show": lambda: describe_record(list[PolicyValue]),
    "record": lambda: describe_record(Recorded),
    "report": describe_report,
    "sweep": lambda: describe_record(SweptPackage),
    "test": lambda: describe_record(LeakFinding),
    "trend": _describe_trend,
}
"""What describes the output of each command that has ``--json``."""
