"""Ledgers of one file: damaged, of another format than their name shows, or an array of JSON with odd entries."""

import json
import random

from benchmarks.fuzz.case import Case, damage_bytes
from benchmarks.fuzz.line_cases import NO_ROWS, damage_lines
from benchmarks.fuzz.odd_values import odd_value
from benchmarks.fuzz.parquet_cases import damage_parquet
from benchmarks.fuzz.sound import write_sound_ledger

__all__ = ["make_single_file_case"]

ENTRY_KEYS = (
    "timestamp",
    "service_name",
    "memory_mb",
    "object_count",
    "gc_collections",
    "allocation_count",
    "metadata",
)


def make_single_file_case(number: int, rng: random.Random) -> Case:
    """Damage a ledger that is one file, which is refused or read as far as it goes."""
    format_ = rng.choice(["parquet", "jsonl", "json"])
    name = f"x.{format_}" if rng.random() < 0.85 else rng.choice(["x.parquet", "x.jsonl", "x.json", "x", "x.csv"])
    if format_ == "json":
        content, damage = _damage_array(rng)
    else:
        files = write_sound_ledger().of_victim(sealed=format_ == "parquet")
        path = next(path for path in files if path.removeprefix("live/").startswith("samples/"))
        content = files[path]
        if format_ == "parquet":
            content, damage, _ = damage_parquet(content, rng)
        else:
            content, damage, _ = damage_lines(content, "samples", rng)
    return Case("single", number, "file", f"{name}: {damage}", files={name: content}, target=name, may_refuse=True)


def _damage_array(rng: random.Random) -> tuple[bytes, str]:
    entries = [
        {"timestamp": 1735689600.0 + at, "service_name": "api", "memory_mb": 40.0 + at, "object_count": 10 * at}
        for at in range(20)
    ]
    if rng.random() < 0.5:
        for _ in range(rng.choice([1, 3])):
            rng.choice(entries)[rng.choice(ENTRY_KEYS)] = odd_value(rng)
        return json.dumps(entries).encode(), "odd values in the array"
    if rng.random() < 0.3:
        return rng.choice(NO_ROWS), "an array that is none"
    if rng.random() < 0.3:
        return json.dumps([*entries, odd_value(rng)]).encode(), "an entry that is none"
    content, damage = damage_bytes(json.dumps(entries).encode(), rng)
    return content, f"the array, {damage}"
