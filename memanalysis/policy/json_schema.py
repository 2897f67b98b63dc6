"""A JSON Schema of policy files, by which editors complete keys and check values: from the records and their types."""

from dataclasses import is_dataclass
from typing import Any, get_args

import msgspec

from memanalysis.policy.key_comments import KeyComments
from memanalysis.policy.model import MemoryBudget, MemoryBudgets, Policy
from memanalysis.policy.sizes import SHARE_PATTERN, SIZE_PATTERN
from memanalysis.policy.validation import keys_of, kind_of, words_of

__all__ = ["make_policy_schema"]

_SIZE_OR_SHARE = {"type": "string", "pattern": f"{SIZE_PATTERN}|{SHARE_PATTERN}"}


def make_policy_schema(comments: KeyComments) -> dict[str, Any]:
    """Return the schema, draft 2020-12.

    Parameters
    ----------
    comments : KeyComments
        What each key means.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "memanalysis policy",
        **_describe_record(Policy(), (), comments),
    }


def _describe_record(record: Any, above: tuple[str, ...], comments: KeyComments) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for key, entry in keys_of(record):
        keys, value = (*above, key), getattr(record, entry.name)
        if isinstance(record, MemoryBudgets) and key == "services":
            properties[key] = _describe_services(above, comments)
        elif is_dataclass(value):
            properties[key] = _describe_record(value, keys, comments)
        else:
            default = list(value) if isinstance(value, tuple) else value
            meaning = comments.find(keys)
            schema = _describe_kind(kind_of(type(record), entry.name))
            properties[key] = ({"description": meaning} if meaning else {}) | schema | {"default": default}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _describe_kind(kind: Any) -> dict[str, Any]:
    words, schema = words_of(kind), msgspec.json.schema(kind)
    if "items" in schema:
        return schema | {"items": _describe_kind(get_args(get_args(kind)[0])[0])}
    if "choices" in words:
        return schema | {"enum": list(words["choices"])}
    if not words.get("is_size"):
        return schema
    size = _SIZE_OR_SHARE if words.get("may_be_share") else {"type": "string", "pattern": SIZE_PATTERN}
    return {"anyOf": [schema, size]}


def _describe_services(above: tuple[str, ...], comments: KeyComments) -> dict[str, Any]:
    """Describe the budgets of services: any name, with keys or a size alone; what is left out has no default here."""
    budget = _describe_record(MemoryBudget(), (*above, "global"), comments)
    for schema in budget["properties"].values():
        del schema["default"]
    return {
        "type": "object",
        "description": comments.find((*above, "services")),
        "additionalProperties": {"anyOf": [budget, _SIZE_OR_SHARE]},
    }
