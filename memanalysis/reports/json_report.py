"""Render a report for a program: JSON with the columns of the frames as keys.

Unknown is null; an infinite time is the string ``"Infinity"``, since JSON has no such number (ProtoJSON writes
it so too); times are ISO 8601 in UTC. All is ASCII: text that could hide or
turn other text is written as escapes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.fleet_overview import FleetOverview
from memanalysis.reports.report_model import ReportModel, ServiceSection

__all__ = ["FORMAT_VERSION", "dump_json", "json_records", "render_json", "render_verdicts_json"]

FORMAT_VERSION = 1
"""Version of the keys of the whole report; it rises when one changes its meaning or goes away."""


def render_json(report: ReportModel) -> str:
    """The whole report."""
    content = {
        "format": "memanalysis-report",
        "format_version": FORMAT_VERSION,
        "title": report.title,
        "ledger": report.ledger,
        "headline": report.headline,
        "started": _json_value(report.started),
        "ended": _json_value(report.ended),
        "has_policy": report.has_policy,
        "n_services": report.n_services,
        "fleet": None if report.fleet is None else _fleet(report.fleet),
        "verdicts": json_records(report.verdicts),
        "services": [_section(section) for section in report.sections],
        "damage": [asdict(record) for record in report.damage],
    }
    return dump_json(content)


def render_verdicts_json(verdicts: pd.DataFrame) -> str:
    """The verdict frame alone, a list of objects."""
    return dump_json(json_records(verdicts))


def _fleet(fleet: FleetOverview) -> dict[str, Any]:
    frames = {name: getattr(fleet, name) for name in ("budgets", "growth", "leaks", "peers")}
    return {"pivot": _json_value(asdict(fleet.pivot)), **{name: json_records(rows) for name, rows in frames.items()}}


def _section(section: "ServiceSection") -> dict[str, Any]:
    return {
        "service": _json_value(section.service),
        "run_id": _json_value(section.run_id),
        "metric": _json_value(section.verdict["metric"]),
        "budget": None if section.budget is None else _json_value(asdict(section.budget)),
        "series": {name: _json_value(section.series[name].to_numpy()) for name in ("elapsed_s", "size_bytes")},
        "line": None
        if section.line is None
        else {
            "name": section.line.name,
            "elapsed_s": _json_value(section.line.elapsed_s),
            "size_bytes": _json_value(section.line.size_bytes),
        },
        "sites": json_records(section.sites),
        "n_sites": section.n_sites,
        "breaches": json_records(section.breaches),
        "n_breaches": section.n_breaches,
        "forecast": json_records(section.forecast),
        "post_mortem": None if section.post_mortem is None else _json_value(asdict(section.post_mortem)),
        "open_cell": None if section.open_cell is None else asdict(section.open_cell),
        "events": json_records(section.events),
        "n_events": section.n_events,
    }


def json_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as objects of values that JSON knows."""
    return [{str(key): _json_value(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _json_value(value: Any) -> Any:
    """A value that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_json_value(item) for item in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def dump_json(content: Any) -> str:
    """Return the text of a document, all in ASCII."""
    return json.dumps(content, indent=2, allow_nan=False, default=str) + "\n"
