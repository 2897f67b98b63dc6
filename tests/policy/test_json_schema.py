"""The schema accepts what the loader accepts and refuses what it refuses, as another validator reads it."""

from typing import Any

import jsonschema
import pytest
import yaml

from memanalysis.errors import PolicyError
from memanalysis.policy.json_schema import make_policy_schema
from memanalysis.policy.key_comments import KeyComments
from memanalysis.policy.loader import find_default_path
from memanalysis.policy.model import Policy, parse_policy

SHIPPED = find_default_path().read_text(encoding="utf-8")
SCHEMA = make_policy_schema(KeyComments(SHIPPED))

SAMPLES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"memory_budgets": {"global": {"max_memory_mb": "1.5 GiB"}}}, True),
    ({"memory_budgets": {"global": {"max_memory_mb": "80% of limit"}}}, True),
    ({"memory_budgets": {"global": {"max_memory_mb": "80%"}}}, False),
    *(
        ({"memory_budgets": {"global": {"max_memory_mb": text}, "services": {"api": text}}}, is_right)
        for text, is_right in {
            "80% of the limit": True,
            "80 % Of Limit": True,
            "100.0% of limit": True,
            "0.5% of limit": True,
            "0% of limit": False,
            "0.0% of limit": False,
            "100.1% of limit": False,
            "101% of limit": False,
            "1.5 TiB": True,
            "2T": True,
            "0MB": False,
            "\uff11MB": False,
        }.items()
    ),
    ({"memory_budgets": {"global": {"max_memory_mb": -5}}}, False),
    ({"memory_budgets": {"services": {"api": "100MB", "b": {"warning_threshold_percent": 7}}}}, True),
    ({"memory_budgets": {"services": {"api": 100}}}, False),
    ({"memory_budgets": {"services": {"api": {"max_memory": 100}}}}, False),
    ({"leak_detection": {"sensitivty": "low"}}, False),
    ({"leak_detection": {"sensitivity": "lowest"}}, False),
    ({"leak_detection": {"snapshot_retention_count": 1}}, False),
    ({"leak_detection": {"thresholds": {"memory_growth_mb": "2% of limit"}}}, False),
    ({"alerts": {"channels": []}}, True),
    ({"alerts": {"channels": ["logging", "logging"]}}, False),
    ({"alerts": {"recipients": {"warning": [" "]}}}, False),
    ({"monitoring": {"tracemalloc": {"trace_limit": 2.5}}}, False),
    ({"ledger": {"storage_path": ""}}, False),
]


@pytest.mark.parametrize(("mapping", "is_right"), SAMPLES)
def test_schema_and_loader_agree(mapping: dict[str, Any], is_right: bool) -> None:
    try:
        parse_policy(mapping)
    except PolicyError:
        is_policy = False
    else:
        is_policy = True

    assert is_policy == is_right
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(mapping) == is_right


def test_the_schema_is_one_and_the_shipped_file_is_right_by_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    jsonschema.validate(yaml.safe_load(SHIPPED), SCHEMA)
    jsonschema.validate(Policy().to_mapping(), SCHEMA)


def test_an_editor_shows_meaning_default_and_choices() -> None:
    detection = SCHEMA["properties"]["leak_detection"]["properties"]

    assert detection["sensitivity"]["enum"] == ["low", "medium", "high"]
    assert detection["sensitivity"]["default"] == "medium"
    assert detection["check_interval_seconds"]["description"] == "seconds between two judgements in a live process"


def test_every_key_has_a_meaning() -> None:
    def leaves(schema: dict[str, Any], path: str = "") -> list[str]:
        if "properties" not in schema:
            return [] if schema.get("description") or path.endswith(".enabled") else [path]
        return [one for key, below in schema["properties"].items() for one in leaves(below, f"{path}.{key}")]

    assert leaves(SCHEMA) == []
