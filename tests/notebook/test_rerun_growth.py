"""A cell that keeps memory each time it runs is found, once; warm-ups and noise are not."""

import random
from collections.abc import Callable, Sequence

import pytest

from memanalysis.notebook.child_judge import judge_levels
from memanalysis.notebook.rerun_growth import (
    MIN_BYTES_PER_RUN,
    MIN_RUNS,
    PAGES_BYTES,
    RerunFinding,
    RerunWatch,
    judge_runs_elsewhere,
)

MIB = 2**20


def judge_here(levels: Sequence[int]) -> float | None:
    return judge_levels(list(levels), minimum_bytes=MIN_BYTES_PER_RUN, tolerance_bytes=PAGES_BYTES)


def run_cell(change_of: Callable[[int], float], *, runs: int = 60) -> list[RerunFinding]:
    watch = RerunWatch(judge_here)
    found = [watch.add("cell", round(change_of(number))) for number in range(1, runs + 1)]
    return [finding for finding in found if finding is not None]


def test_a_cell_that_keeps_as_much_each_run_is_found_once_with_its_rate():
    (finding,) = run_cell(lambda _: 11.6 * MIB)

    assert finding.runs == MIN_RUNS
    assert finding.bytes_per_run == pytest.approx(11.6 * MIB, rel=1e-3)
    assert finding.render_line() == (
        "memwatch: this cell keeps 11.6 MiB each run (13 runs, +151 MiB in all). %%memwatch on it names the lines."
    )


def test_noise_around_a_rate_is_borne():
    noise = random.Random(5)  # noqa: S311 - seeded noise

    (finding,) = run_cell(lambda _: 11.6 * MIB + noise.gauss(0, MIB))

    assert finding.bytes_per_run == pytest.approx(11.6 * MIB, rel=0.1)


@pytest.mark.parametrize(
    "change_of",
    [
        lambda number: 50 * MIB if number == 1 else 0,
        lambda number: 50 * MIB * 0.7**number,
        lambda number: 50 * MIB / number,
        lambda number: -30 * MIB if number % 7 == 0 else 5 * MIB,
        lambda number: 8000,
    ],
    ids=["first run", "decay", "slowing", "sawtooth", "small"],
)
def test_a_warm_up_and_what_is_released_again_are_no_finding(change_of: Callable[[int], float]):
    assert run_cell(change_of) == []


def test_a_random_walk_is_no_finding():
    """Forty cells of sixty runs, seeded."""
    noise = random.Random(11)  # noqa: S311 - seeded noise

    assert sum(len(run_cell(lambda _: noise.gauss(0, 4 * MIB))) for _ in range(40)) == 0


def test_a_run_whose_change_is_unknown_is_left_out():
    watch = RerunWatch(lambda levels: pytest.fail("nothing is known"))

    assert [watch.add("cell", None) for _ in range(60)] == [None] * 60


@pytest.mark.slow
def test_the_same_answer_comes_from_another_process():
    levels = [round(number * 11.6 * MIB) for number in range(1, 15)]

    assert judge_runs_elsewhere(levels) == pytest.approx(judge_here(levels))
    assert judge_runs_elsewhere([0] * 20) is None
