"""A ledger that is judged part by part gives the same frame, row for row, as one that is judged at once."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ledger_makers import START
from pandas.testing import assert_frame_equal

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.engines import InProcess
from memanalysis.verdicts.ledger_parts import plan_parts
from memanalysis.verdicts.run_ends import read_runs

pytestmark = pytest.mark.slow

POLICY = {"memory_budgets": {"global": {"max_memory_mb": "80% of limit"}}}


class SmallParts(InProcess):
    """Cuts a ledger wherever it may be cut."""

    max_part_bytes = 1


def write(path: Path, service: str, run_id: str, rss_bytes: Callable[[float], float], **run: Any) -> None:
    """Write a run of 60 samples, one a second, with a site that grows by half a MiB a second."""
    about = {"run_id": run_id, "service": service, "host": "h1", "started": START, **run}
    has_clock, size = about.pop("has_clock", True), {"limit_bytes": about.pop("limit_bytes", None)}
    writer = LedgerWriter(path, run=about, flush="manual")
    for number in range(60):
        sample = {"seq": number, "timestamp": START + number, "rss_bytes": round(rss_bytes(number)), **size}
        sample |= {"pss_bytes": sample["rss_bytes"], "uss_bytes": sample["rss_bytes"]}
        writer.append("samples", [sample | ({"elapsed_s": float(number)} if has_clock else {})])
    site = {"site_id": "s", "file": "app/a.py", "line": 7, "function": "f", "traceback": [["app/a.py", 7]]}
    for number in range(0, 60, 10):
        grown = {"seq": number, "timestamp": START + number, "size_bytes": number * MIB // 2, "live_allocations": 9}
        writer.append("sites", [site | grown])
    writer.close(ended=START + 59)


def leak(at: float) -> float:
    return (40 + 0.5 * at) * MIB + 20_000 * math.sin(7 * at)


def flat(at: float) -> float:
    return 30 * MIB + 20_000 * math.sin(5 * at)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Services with one run and many, a family over two services, a name with a hash, and a run without a clock."""
    path = tmp_path_factory.mktemp("mixed") / "ledger"
    write(path, "api", "api-1", leak, pid=1, limit_bytes=200 * MIB)
    write(path, "api", "api-2", flat, pid=2, limit_bytes=300 * MIB)
    write(path, "api", "api-3", leak, pid=3)
    write(path, "Größe", "named-1", leak, pid=4)
    write(path, "clockless", "clock-1", leak, pid=5, has_clock=False)
    write(path, "web", "master", flat, pid=10)
    write(path, "worker", "worker-1", leak, pid=11, parent_pid=10)
    write(path, "worker", "worker-2", leak, pid=12, parent_pid=10)
    write(path, "zeta", "same", flat, pid=20)
    return path


@pytest.mark.parametrize("policy", [None, POLICY])
@pytest.mark.parametrize("only_latest", [False, True])
def test_parts_give_the_frame_of_the_whole(mixed: Path, policy: Any, only_latest: bool):
    whole = assess(mixed, policy=policy, only_latest=only_latest)
    parts = assess(mixed, policy=policy, only_latest=only_latest, engine=SmallParts())

    assert {"family", "master", "worker"} <= set(whole["role"])
    assert whole["is_leak"].sum() >= 5
    assert_frame_equal(parts, whole)


def test_a_selection_of_services_gives_the_same_in_parts(mixed: Path):
    services = ["Größe", "web", "worker"]

    assert_frame_equal(assess(mixed, services=services, engine=SmallParts()), assess(mixed, services=services))


def test_a_corrupt_file_is_named_and_the_rest_judged_in_parts_as_in_whole(mixed: Path, tmp_path: Path):
    copy = shutil.copytree(mixed, tmp_path / "ledger")
    broken = next((copy / "samples" / "service_key=api").glob("api-2*.parquet"))
    broken.write_bytes(broken.read_bytes()[:-20])

    whole, parts = assess(copy), assess(copy, engine=SmallParts())

    assert_frame_equal(parts, whole)
    unreadable = parts[parts["shape"] == "unreadable"]
    assert unreadable["service"].tolist() == ["api"]
    assert broken.name in unreadable["sentence"].iloc[0]
    assert {"api-1", "api-3", "worker-1"} <= set(parts["run_id"])


def test_the_parts_are_bounded_cover_each_run_once_and_cut_no_family(mixed: Path):
    ledger = open_ledger(mixed)
    runs = read_runs(ledger)

    parts = plan_parts(ledger, runs, max_bytes=1)
    found = [set(ledger.read("samples", columns=["run_id"], part=part)["run_id"]) for part in parts]

    assert sorted(map(sorted, found)) == [
        ["api-1"], ["api-2"], ["api-3"], ["clock-1"], ["master", "worker-1", "worker-2"], ["named-1"], ["same"],
    ]  # fmt: skip


def test_services_share_a_part_as_long_as_it_is_small_enough(mixed: Path):
    ledger = open_ledger(mixed)
    sizes = ledger.partitions("samples")
    max_bytes = sum(sizes.values()) // 2

    parts = plan_parts(ledger, read_runs(ledger), max_bytes=max_bytes)

    assert 2 <= len(parts) <= 4
    assert all(part.run_ids is None for part in parts)
    assert sorted(name for part in parts for name in part.partitions or ()) == sorted(sizes)


def test_a_ledger_that_is_one_file_is_one_part(tmp_path: Path):
    path = tmp_path / "samples.parquet"
    pd.DataFrame({"service": ["a"] * 3, "elapsed_s": [0.0, 1, 2], "rss_bytes": [1, 2, 3]}).to_parquet(path)
    ledger = open_ledger(path)

    assert [part.is_whole for part in plan_parts(ledger, read_runs(ledger), max_bytes=1)] == [True]
