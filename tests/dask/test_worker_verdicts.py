"""The verdict on unmanaged memory: results that pile up are no leak, and each kind of memory has its name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from memanalysis.dask.worker_verdicts import assess_workers
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB
from memanalysis.verdicts.assess import assess

NEW_YEAR = 1_735_689_600.0
N_SAMPLES = 240
SIZE = 200 * MIB

Level = Callable[[int], float]


def write_worker(
    path: Path,
    name: str,
    *,
    unmanaged: Level,
    managed: Level = lambda _: 0.0,
    free: Level | None = None,
    n_samples: int = N_SAMPLES,
    sizes: Sequence[str] = ("sampled_bytes",),
) -> None:
    """Write a run of a sample a second, in which `keep` runs in the even seconds and `load` in the odd ones."""
    run_id = f"run-{name}"
    run = {"run_id": run_id, "service": "dask-worker", "pid": 7, "started": NEW_YEAR, "labels": {"dask_worker": name}}
    writer = LedgerWriter(path, run=run, flush="manual")
    rows = [
        {
            "seq": second,
            "timestamp": NEW_YEAR + second,
            "elapsed_s": float(second),
            "rss_bytes": round(SIZE + unmanaged(second) + managed(second)),
            "allocator_free_bytes": None if free is None else round(free(second)),
        }
        for second in range(n_samples)
    ]
    writer.append("samples", rows)
    events = [
        {"timestamp": NEW_YEAR + second, "kind": "tasks", "level": "info", "data": block}
        for second, block in enumerate(make_blocks(unmanaged, managed, n_samples, sizes))
    ]
    writer.append("events", events)
    writer.close(seal=False)


def make_blocks(unmanaged: Level, managed: Level, n_samples: int, sizes: Sequence[str]) -> Sequence[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"managed_bytes": round(managed(0))}]
    for second in range(1, n_samples):
        growth = unmanaged(second) - unmanaged(second - 1)
        sums = {"seconds": 1.0, "prefixes": ["load" if second % 2 else "keep"], "finished": [1], "tasks": [1.0]}
        of_size = dict.fromkeys(sizes, growth) | {"rss_bytes": growth}
        of_sizes = {"growth_by_task": {size: [of] for size, of in of_size.items()}, "growth": of_size}
        blocks.append({"managed_bytes": round(managed(second)), "together": [[1.0]]} | sums | of_sizes)
    return blocks


def keep_a_mebibyte(second: int) -> float:
    """A step of 1 MiB in each even second, when `keep` runs."""
    return MIB * (second // 2)


def read_worker(path: Path) -> dict[Any, Any]:
    (row,) = assess_workers(path).to_dict("records")
    return row


def test_a_leak_is_named_with_the_tasks_that_grow_it(tmp_path: Path):
    write_worker(tmp_path, "alice", unmanaged=keep_a_mebibyte)

    row = read_worker(tmp_path)

    assert (row["worker"], row["memory"], row["task_prefix"]) == ("alice", "leak", "keep")
    assert row["task_share"] == pytest.approx(1.0)
    assert row["bytes_per_task"] == pytest.approx(MIB)
    assert row["sentence"].endswith("Tasks of keep carry 100% of the growth, 1.0 MiB each.")


def test_resident_memory_alone_names_no_tasks(tmp_path: Path):
    """It grows with the task that needs new pages, and not with the one that keeps the old ones."""
    write_worker(tmp_path, "alice", unmanaged=keep_a_mebibyte, sizes=())

    row = read_worker(tmp_path)

    assert (row["memory"], row["task_prefix"]) == ("leak", None)


def test_results_that_pile_up_are_no_leak_of_unmanaged_memory(tmp_path: Path):
    write_worker(tmp_path, "alice", unmanaged=lambda _: 0.0, managed=keep_a_mebibyte)

    row = read_worker(tmp_path)

    assert assess(tmp_path)["is_leak"].tolist() == [True]
    assert (row["memory"], row["is_leak"], row["task_prefix"]) == ("steady", False, None)
    assert row["latest_bytes"] == SIZE


def test_memory_that_levels_off_is_a_cache(tmp_path: Path):
    write_worker(tmp_path, "alice", unmanaged=lambda second: min(keep_a_mebibyte(second), 60 * MIB))

    row = read_worker(tmp_path)

    assert (row["memory"], row["is_leak"], row["task_prefix"]) == ("cache", False, "keep")


def test_memory_that_the_allocator_holds_free_is_fragmentation(tmp_path: Path):
    write_worker(tmp_path, "alice", unmanaged=keep_a_mebibyte, free=keep_a_mebibyte)

    row = read_worker(tmp_path)

    assert row["memory"] == "fragmentation"
    assert "memanalysis.trim() gives them back" in row["sentence"]


def test_too_little_is_unknown(tmp_path: Path):
    write_worker(tmp_path, "alice", unmanaged=keep_a_mebibyte, n_samples=4)

    assert read_worker(tmp_path)["memory"] == "unknown"


def test_managed_memory_holds_until_the_interval_in_which_it_changes(tmp_path: Path):
    """Nothing is written while nothing runs: what was managed is not spread over the time between."""

    def managed(second: int) -> float:
        return 100.0 * MIB if second >= 200 else 0.0

    write_worker(tmp_path, "alice", unmanaged=lambda _: 0.0, managed=managed)

    assert read_worker(tmp_path)["shape"] == "stable"


def test_each_worker_has_a_row_in_the_order_of_names(tmp_path: Path):
    write_worker(tmp_path, "bob", unmanaged=keep_a_mebibyte)
    write_worker(tmp_path, "alice", unmanaged=lambda _: 0.0)

    found = assess_workers(tmp_path)

    assert found[["worker", "memory"]].to_numpy().tolist() == [["alice", "steady"], ["bob", "leak"]]
    assert isinstance(found, pd.DataFrame)


def test_a_ledger_without_workers_is_refused_with_what_to_do(tmp_path: Path):
    run = {"run_id": "run-1", "service": "api", "started": NEW_YEAR}
    LedgerWriter(tmp_path, run=run, flush="manual").close(seal=False)

    with pytest.raises(InvalidArgumentError, match=r"client\.register_plugin\(WatchWorkers\(ledger\)\)"):
        assess_workers(tmp_path)
