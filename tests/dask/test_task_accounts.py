"""The accounts of tasks add up seconds and growth by prefix, also of tasks that run at the same time."""

import pytest

from memanalysis.dask.task_accounts import MAX_PREFIXES, OTHERS, TaskAccounts


class Process:
    """A process whose clock and memory a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sizes: dict[str, int | None] = {"rss_bytes": 1_000}
        self.accounts = TaskAccounts(lambda: dict(self.sizes), lambda: self.now_s)

    def pass_time(self, seconds: float, *, grow: int = 0) -> None:
        self.now_s += seconds
        if self.sizes["rss_bytes"] is not None:
            self.sizes["rss_bytes"] += grow


@pytest.fixture
def process() -> Process:
    return Process()


def test_one_task_at_a_time_has_the_growth_while_it_runs(process: Process):
    for number, (prefix, grow) in enumerate((("load", 0), ("keep", 500), ("keep", 700))):
        process.accounts.begin(number, prefix)
        process.pass_time(2.0, grow=grow)
        process.accounts.end(number)
    process.pass_time(1.0, grow=50)

    assert process.accounts.take_block() == {
        "seconds": 7.0,
        "prefixes": ["keep", "load"],
        "finished": [2, 1],
        "tasks": [2.0, 1.0],
        "together": [[2.0, 0.0], [0.0, 1.0]],
        "growth_by_task": {"rss_bytes": [1_200.0, 0.0]},
        "growth": {"rss_bytes": 1_250.0},
    }


def test_a_task_is_spread_over_the_intervals_in_which_it_runs(process: Process):
    """A task of 4 s beside one that ends after 1 s; a task of its kind took 4 s before."""
    process.accounts.begin("before", "long")
    process.pass_time(4.0)
    process.accounts.end("before")
    process.accounts.take_block()
    process.accounts.begin("a", "long")
    process.accounts.begin("b", "short")
    process.pass_time(1.0, grow=100)
    process.accounts.end("b")
    process.pass_time(3.0, grow=60)
    process.accounts.end("a")

    block = process.accounts.take_block()

    assert block is not None
    assert (block["prefixes"], block["tasks"]) == (["short", "long"], [1.0, 1.0])
    assert block["together"] == [[1.0, 0.25], [0.25, 0.25**2 + 0.75**2]]
    assert block["growth_by_task"] == {"rss_bytes": [100.0, 0.25 * 100 + 0.75 * 60]}


def test_a_task_that_takes_other_than_its_kind_counts_as_one(process: Process):
    for key, seconds in (("a", 1.0), ("b", 9.0), ("c", 0.1)):
        process.accounts.begin(key, "keep")
        process.pass_time(seconds / 2)
        process.accounts.begin(f"{key} beside", "load")
        process.pass_time(seconds / 2)
        process.accounts.end(key)
        process.accounts.end(f"{key} beside")

    block = process.accounts.take_block()

    assert block is not None
    assert block["tasks"] == pytest.approx([3.0, 3.0])


def test_a_task_that_runs_on_is_counted_in_the_next_block(process: Process):
    process.accounts.begin("before", "keep")
    process.pass_time(4.0)
    process.accounts.end("before")
    process.accounts.begin("a", "keep")
    process.pass_time(3.0)
    first = process.accounts.take_block()
    process.pass_time(1.0, grow=8)
    process.accounts.end("a")
    second = process.accounts.take_block()

    assert first is not None
    assert second is not None
    assert (first["tasks"], first["finished"]) == ([1.75], [1])
    assert (second["seconds"], second["tasks"], second["finished"]) == (1.0, [0.25], [1])
    assert process.accounts.take_block() is None


def test_a_task_whose_begin_was_not_seen_is_left_out(process: Process):
    process.accounts.end("a")
    process.pass_time(1.0)

    assert process.accounts.take_block() is None


def test_short_tasks_share_a_reading(process: Process):
    """Two milliseconds and one, within the five that one reading is for."""
    for prefix, seconds in (("load", 0.002), ("keep", 0.001)):
        process.accounts.begin(prefix, prefix)
        process.pass_time(seconds, grow=300)
        process.accounts.end(prefix)

    block = process.accounts.take_block()

    assert block is not None
    assert block["tasks"] == [1.0, 1.0]
    assert block["growth_by_task"]["rss_bytes"] == [600.0, 600.0]


def test_prefixes_beyond_the_bound_are_one(process: Process):
    names = [f"task{number}" for number in range(MAX_PREFIXES + 3)]
    for name in names:
        process.accounts.begin(name, name)
        process.pass_time(1.0)
        process.accounts.end(name)

    block = process.accounts.take_block()

    assert block is not None
    assert block["prefixes"] == [*names[:MAX_PREFIXES], OTHERS]
    assert block["finished"][-1] == 3


def test_a_size_that_is_not_known_is_left_out(process: Process):
    process.accounts.begin("a", "keep")
    process.sizes = {"rss_bytes": None}
    process.pass_time(1.0)

    block = process.accounts.take_block()

    assert block is not None
    assert (block["growth"], block["growth_by_task"]) == ({}, {})
