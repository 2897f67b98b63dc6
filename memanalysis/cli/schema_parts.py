"""Parts for the JSON Schemas of the commands: cells that may be unknown, objects, arrays, records."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec

from memanalysis.analysis.verdict import (
    SEVERITIES,
    UNREADABLE,
    VERDICT_COLUMNS,
    VERDICT_DTYPES,
    Origin,
    Shape,
)

__all__ = [
    "NUMBER",
    "TEXT",
    "WHOLE",
    "describe_record",
    "describe_rows",
    "describe_verdicts",
    "make_object",
    "or_null",
    "require_all",
]

TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
WHOLE: Mapping[str, Any] = {"type": ["integer", "null"]}
NUMBER: Mapping[str, Any] = {"anyOf": [{"type": ["number", "null"]}, {"enum": ["Infinity", "-Infinity"]}]}
"""Unknown is null. JSON has no infinity, so an infinite time is this word."""

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "float64": NUMBER,
    "int64": {"type": "integer"},
    "Int64": WHOLE,
    "bool": {"type": "boolean"},
    "object": TEXT,
}

_WORDS = {
    "shape": [*get_args(Shape), UNREADABLE],
    "origin": [*get_args(Origin), None],
    "severity": [*SEVERITIES, None],
    "known": ["accepted", "expired", "new", None],
}
"""Columns of a verdict that hold one of a few words."""


def describe_verdicts() -> dict[str, Any]:
    """Return the schema of the rows of a verdict frame."""
    return describe_rows({name: _describe_column(name) for name in VERDICT_COLUMNS})


def describe_rows(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the rows of a frame, from that of each column."""
    return {"type": "array", "items": make_object(columns)}


def make_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these properties, all of them and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of what may be unknown, or not there."""
    return {"anyOf": [schema, {"type": "null"}]}


def describe_record(record: Any) -> dict[str, Any]:
    """Return the schema of a dataclass, or of a list of it."""
    schema = msgspec.json.schema(record)
    require_all(schema.get("$defs", {}).values())
    return schema


def require_all(definitions: Iterable[dict[str, Any]]) -> None:
    """Have objects hold all their properties, and no others."""
    for definition in definitions:
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            definition["additionalProperties"] = False


def _describe_column(name: str) -> Mapping[str, Any]:
    return {"enum": _WORDS[name]} if name in _WORDS else _KINDS[VERDICT_DTYPES.get(name, "object")]
