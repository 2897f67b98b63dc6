"""The kind of tasks that grows a worker's memory is named, and none where none is shown to."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memanalysis.analysis.leaks.task_growth import find_growing_task, measure_tasks
from memanalysis.dask.task_accounts import TaskAccounts

Growth = Callable[[str, np.random.Generator], float]


def run_tasks(growth: Growth, *, threads: int, seed: int = 7, pauses: bool = False) -> list[dict[str, Any]]:
    """Run tasks of three kinds in threads that take the next one when they are free; bytes are added at each end."""
    random = np.random.default_rng(seed)
    now_s, memory, blocks = 0.0, 1e9, []
    accounts = TaskAccounts(lambda: {"rss_bytes": round(memory)}, lambda: now_s)
    running: list[tuple[float, int, str]] = []
    for number in range(600):
        if len(running) == threads:
            now_s, key, ended = running.pop(running.index(min(running)))
            memory += growth(ended, random)
            accounts.end(key)
        started = str(random.choice(["load", "keep", "sum"]))
        waits_s = 2.0 if pauses and random.uniform() < 0.1 else 0.0
        running.append((now_s + random.uniform(0.05, 0.5) + waits_s, number, started))
        accounts.begin(number, started)
        if number % 10 == 9 and (block := accounts.take_block()) is not None:
            blocks.append(block)
    return blocks


def leak_with_noise(prefix: str, random: np.random.Generator) -> float:
    """A kind of tasks that retains 100 kB, amid allocators that take and give back as much."""
    return (100_000.0 if prefix == "keep" else 0.0) + random.normal(0.0, 50_000.0)


@pytest.mark.parametrize("pauses", [False, True])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_tasks_that_leak_are_named_with_what_each_retains(threads: int, pauses: bool):
    """Whether or not some tasks wait long for something else; of four at a time others share a part of it."""
    found = find_growing_task(run_tasks(leak_with_noise, threads=threads, pauses=pauses), size="rss_bytes")

    assert found is not None
    assert found.prefix == "keep"
    assert found.share > (0.8 if threads == 1 else 0.55)
    assert found.bytes_per_task == pytest.approx(100_000, rel=0.2 if threads == 1 else 0.45)


def test_nothing_is_named_where_memory_only_swings():
    for seed in range(8):
        blocks = run_tasks(lambda _, random: random.normal(0.0, 50_000.0), threads=4, seed=seed)
        assert find_growing_task(blocks, size="rss_bytes") is None


def test_nothing_is_named_where_all_tasks_leak_alike():
    assert find_growing_task(run_tasks(lambda *_: 100_000.0, threads=1), size="rss_bytes") is None


def test_nothing_is_named_where_two_kinds_always_run_together():
    """As short tasks do that follow each other: the fit cannot part them, and gives each one half."""
    random, memory, blocks = np.random.default_rng(11), 1e9, []
    clock = itertools.count()
    accounts = TaskAccounts(lambda: {"rss_bytes": round(memory)}, lambda: float(next(clock)))
    for number in range(300):
        accounts.begin(number, "load")
        accounts.begin(-number - 1, "keep")
        memory += 100_000.0 + random.normal(0.0, 20_000.0)
        accounts.end(number)
        accounts.end(-number - 1)
        if number % 10 == 9 and (block := accounts.take_block()) is not None:
            blocks.append(block)

    tasks = measure_tasks(blocks, size="rss_bytes")

    assert (tasks["growth_bytes"] > 3 * tasks["stderr_bytes"]).any()
    assert find_growing_task(blocks, size="rss_bytes") is None


def test_results_that_are_sized_wrongly_name_no_task():
    """One kind seems to keep what another seems to free: the sizes of results are off, and nothing leaks."""
    moved = {"load": 1_000_000.0, "sum": -1_000_000.0, "keep": 0.0}

    assert find_growing_task(run_tasks(lambda prefix, _: moved[prefix], threads=1), size="rss_bytes") is None


def test_growth_in_one_moment_is_not_that_of_each_task():
    sizes = iter([0.0] * 300 + [50_000_000.0] + [0.0] * 300)

    assert find_growing_task(run_tasks(lambda *_: next(sizes), threads=1), size="rss_bytes") is None


def test_growth_between_tasks_names_none():
    blocks = run_tasks(leak_with_noise, threads=1)
    for block in blocks:
        block["growth"]["rss_bytes"] += 2_000_000

    assert find_growing_task(blocks, size="rss_bytes") is None


def test_kinds_that_always_run_together_share_the_growth():
    now_s, memory, blocks = 0.0, 0, []
    accounts = TaskAccounts(lambda: {"rss_bytes": memory}, lambda: now_s)
    for _ in range(40):
        accounts.begin("a", "keep")
        accounts.begin("b", "load")
        now_s, memory = now_s + 1.0, memory + 1_000
        accounts.end("a")
        accounts.end("b")
        block = accounts.take_block()
        assert block is not None
        blocks.append(block)

    assert measure_tasks(blocks, size="rss_bytes")["growth_bytes"].tolist() == pytest.approx([20_000.0, 20_000.0])


def test_too_few_blocks_and_an_unknown_size_show_nothing():
    blocks = run_tasks(leak_with_noise, threads=1)

    assert find_growing_task(blocks[:4], size="rss_bytes") is None
    assert find_growing_task(blocks, size="sampled_bytes") is None
    assert find_growing_task([], size="rss_bytes") is None
