"""The JSON Schema of the report: its verdicts, the parts of its services, the fleet, and what could not be read."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from memanalysis.analysis.budgets.breach_forecast import FORECAST_COLUMNS, LEVELS, METHODS
from memanalysis.analysis.budgets.budget_breaches import BREACH_COLUMNS, Budget, Level
from memanalysis.analysis.leak_pivot import LeakPivot
from memanalysis.analysis.leaks.site_ranking import RANK_COLUMNS
from memanalysis.cli.schema_parts import (
    NUMBER,
    TEXT,
    WHOLE,
    describe_rows,
    describe_verdicts,
    make_object,
    or_null,
    require_all,
)
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.reports.json_report import FORMAT_VERSION
from memanalysis.reports.open_cell import OpenCell
from memanalysis.reports.post_mortem import PostMortem
from memanalysis.schema import EVENTS
from memanalysis.verdicts.run_ends import DEATHS

__all__ = ["describe_report"]

_COUNT: Mapping[str, Any] = {"type": "integer"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_NUMBERS: Mapping[str, Any] = {"type": "array", "items": NUMBER}
_MOMENT: Mapping[str, Any] = {"type": ["string", "null"], "format": "date-time"}

_TEXTS_OF_A_SITE = (
    "service", "run_id", "site_id", "file", "function", "judged_from", "judged_to", "last_table",
    "allocated_file", "allocated_function",
)  # fmt: skip


def describe_report() -> dict[str, Any]:
    """Return the schema of ``memanalysis report --json``."""
    types = (PostMortem, OpenCell, Budget, LeakPivot, SkippedRows)
    references, records = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    post_mortem, open_cell, budget, pivot, skipped = references
    require_all(records.values())
    records["PostMortem"]["properties"]["cause"] = {"enum": sorted(DEATHS)}
    section = {
        "service": TEXT,
        "run_id": TEXT,
        "metric": TEXT,
        "budget": or_null(budget),
        "series": make_object({"elapsed_s": _NUMBERS, "size_bytes": _NUMBERS}),
        "line": or_null(make_object({"name": {"type": "string"}, "elapsed_s": _NUMBERS, "size_bytes": _NUMBERS})),
        "sites": _describe_sites(),
        "n_sites": _COUNT,
        "breaches": _describe_breaches(),
        "n_breaches": _COUNT,
        "forecast": _describe_forecast(),
        "post_mortem": or_null(post_mortem),
        "open_cell": or_null(open_cell),
        "events": _describe_events(),
        "n_events": _COUNT,
    }
    document = {
        "format": {"const": "memanalysis-report"},
        "format_version": {"const": FORMAT_VERSION},
        "title": {"type": "string"},
        "ledger": {"type": "string"},
        "headline": {"type": "string"},
        "started": _MOMENT,
        "ended": _MOMENT,
        "has_policy": {"type": "boolean"},
        "n_services": _COUNT,
        "fleet": or_null(_describe_fleet(pivot)),
        "verdicts": describe_verdicts(),
        "services": {"type": "array", "items": make_object(section)},
        "damage": {"type": "array", "items": skipped},
    }
    return {**make_object(document), "$defs": records}


def _describe_sites() -> dict[str, Any]:
    columns = dict.fromkeys((*RANK_COLUMNS, "peak_bytes"), NUMBER)
    columns |= dict.fromkeys(_TEXTS_OF_A_SITE, TEXT)
    columns |= dict.fromkeys(("line", "allocated_line"), WHOLE)
    return describe_rows(columns | {"is_retainer": {"type": "boolean"}})


def _describe_breaches() -> dict[str, Any]:
    columns = dict.fromkeys(BREACH_COLUMNS, NUMBER) | dict.fromkeys(("service", "run_id", "metric"), TEXT)
    columns |= {"level": {"enum": [level for level in get_args(Level) if level != "ok"]}}
    return describe_rows(columns | dict.fromkeys(("first", "last"), _MOMENT))


def _describe_forecast() -> dict[str, Any]:
    columns = dict.fromkeys(FORECAST_COLUMNS, NUMBER) | dict.fromkeys(("service", "run_id", "metric"), TEXT)
    columns |= {"level": {"enum": list(LEVELS)}, "method": {"enum": list(METHODS)}, "episodes": _COUNT}
    return describe_rows(columns | dict.fromkeys(("next", "next_low", "next_high"), _MOMENT))


def _describe_events() -> dict[str, Any]:
    """Return the schema of events; what goes with one depends on its kind."""
    return describe_rows(dict.fromkeys(EVENTS, TEXT) | {"timestamp": _MOMENT, "data": {}})


def _describe_fleet(pivot: Mapping[str, Any]) -> dict[str, Any]:
    times = ("limit_bytes", "time_to_exhaustion_s", "time_to_exhaustion_low_s", "time_to_exhaustion_high_s")
    run = dict.fromkeys(("service", "run_id", "host"), TEXT)
    leak = {"file": TEXT, "line": WHOLE, "function": TEXT, "services": _TEXTS, "runs": _COUNT, "hosts": _COUNT}
    frames = {
        "budgets": run | dict.fromkeys(times, NUMBER),
        "growth": {"service": TEXT, "runs": _COUNT, "leaking_runs": _COUNT, "slope_bytes_per_s": NUMBER},
        "leaks": leak | {"slope_bytes_per_s": NUMBER, "fingerprints": _TEXTS},
        "peers": run | {"latest_bytes": NUMBER, "median_bytes": NUMBER, "peers": _COUNT},
    }
    return make_object({"pivot": pivot, **{name: describe_rows(columns) for name, columns in frames.items()}})
