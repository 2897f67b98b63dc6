"""Each kind of leak and of what looks like one, in calls of the benchmark and in real ones."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.detection.callables import BENIGN, LEAKS
from benchmarks.detection.healthy_calls import HEALTHY_CALLS
from memanalysis import find_leak

pytestmark = pytest.mark.slow

SEED = 20260101
ByKind = dict[str, dict[str, Any]]

SLOW = {"regex cache", "threads", "json", "garbage of random size"}
"""The benchmark has them, with more time."""

LEAKY_TWINS = ["extension, references", "sqlite3, a database in memory", "callbacks"]
ROOT = Path(__file__).parents[2]

PROGRAM = f"""
import json, random
from benchmarks.detection.callables import BENIGN, LEAKS, make_benign, make_leak
from benchmarks.detection.leaky_calls import LEAKY_CALLS
from memanalysis import find_leak
found = {{}}
def keep(name, finding):
    found[name] = {{key: getattr(finding, key) for key in ("is_leak", "origin", "bytes_per_call")}}
for kind in LEAKS:
    case = make_leak(kind, 1_000, 1, random.Random({SEED} + 1))
    keep(f"leak, {{kind}}", find_leak(case.call, collect=case.collect, max_calls=500))
for kind in BENIGN.keys() - {SLOW}:
    keep(f"benign, {{kind}}", find_leak(make_benign(kind, random.Random({SEED} + 2)).call, max_calls=20_000, max_s=60))
for kind in {LEAKY_TWINS}:
    keep(f"twin, {{kind}}", find_leak(LEAKY_CALLS[kind](random.Random({SEED} + 6)), max_calls=3_000))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def findings() -> ByKind:
    """What find_leak finds in the calls of the benchmark, in a process of their own: this one has more objects."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", sorted(LEAKS))
def test_every_kind_of_leak_is_found(kind: str, findings: ByKind) -> None:
    finding = findings[f"leak, {kind}"]

    assert finding["is_leak"] is True
    assert finding["origin"] == ("native" if kind == "malloc" else "python")
    assert 900 < finding["bytes_per_call"] < 1_400


@pytest.mark.parametrize("kind", sorted(set(BENIGN) - SLOW))
def test_what_looks_like_a_leak_is_not_called_one(kind: str, findings: ByKind) -> None:
    assert findings[f"benign, {kind}"]["is_leak"] is not True


@pytest.mark.parametrize("kind", ["sqlite3, a database a call", "socket pair", "an event loop a call", "compiled code"])
def test_a_real_call_is_cleared_by_the_figures_of_the_allocators(kind: str) -> None:
    """In fewer calls than tracing alone would need, and with a bound."""
    finding = find_leak(HEALTHY_CALLS[kind](random.Random(SEED + 5)), max_s=60)  # noqa: S311  not for secrets

    assert finding.is_leak is False
    assert 0 <= finding.bytes_per_call <= finding.high < finding.min_bytes_per_call


@pytest.mark.parametrize("kind", LEAKY_TWINS)
def test_the_leaky_twin_of_a_real_call_is_found(kind: str, findings: ByKind) -> None:
    assert findings[f"twin, {kind}"]["is_leak"] is True
