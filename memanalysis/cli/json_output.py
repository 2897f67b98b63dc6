"""Print a record as JSON: nothing else goes to standard output, unknown is null, and all is ASCII."""

import json
import math
import sys
from typing import Any

import msgspec

__all__ = ["print_json"]


def print_json(record: Any) -> None:
    """Print a dataclass, or a list of them, as its schema describes it (see `output_schemas`)."""
    plain = _without_nan(msgspec.to_builtins(record))
    sys.stdout.write(f"{json.dumps(plain, indent=2, allow_nan=False)}\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_without_nan, value))
    return None if isinstance(value, float) and not math.isfinite(value) else value
