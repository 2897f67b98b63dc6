"""Ledgers to explore."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def json_array(tmp_path: Path) -> Callable[[], Path]:
    """Writes a file as the class interface does: an entry a minute."""

    def write() -> Path:
        entries = [
            {
                "timestamp": f"2025-01-01T00:0{minute}:00",
                "service_name": "messaging",
                "memory_usage_mb": 10.0 + minute,
                "object_count": 1000,
                "allocation_count": None,
                "deallocation_count": None,
                "gc_collections": 3,
            }
            for minute in range(3)
        ]
        path = tmp_path / "memory_ledger.json"
        path.write_text(json.dumps(entries), encoding="utf-8")
        return path

    return write
