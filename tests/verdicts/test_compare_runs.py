"""Two runs of one healthy program differ by nothing, and 5 % more memory is found: short `benchmarks.compare_runs`."""

import os

import pytest
from needs import needs_sampler

from benchmarks.compare_runs import KINDS, PROGRAMS, compare_programs, compare_simulated

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_pairs_of_healthy_runs_show_nothing_and_five_per_cent_more_is_found(kind):
    found = compare_simulated(kind, pairs=20, seed=1)

    assert found.alarms == 0
    assert found.found >= 19


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs resident memory and the sampler")
@needs_sampler
def test_a_real_program_that_keeps_a_quarter_more_is_found_with_its_line():
    # 14 MB are some 27 samples at 512 KiB between two: 5 % of this small program are 5, too few for a line each time
    found = compare_programs(pairs=1, programs=PROGRAMS[:1], seconds=2.0, extra=0.25)[PROGRAMS[0]]

    assert (found.alarms, found.found, found.named) == (0, 1, 1)
