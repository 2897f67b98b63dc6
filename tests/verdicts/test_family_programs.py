"""Programs that fork, watched for real: a leak in the workers, and copies of what was shared."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.families import judge_family

pytestmark = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="private memory is read from /proc")
def test_a_pool_that_leaks_and_a_preload_server_that_copies_are_distinguished():
    with ThreadPoolExecutor(2) as pool:
        leaking, copying = pool.map(lambda name: judge_family(name, 36.0, "auto"), ["pool_leak", "preload_copies"])

    assert leaking.is_leak
    assert {"master", "worker", "family"} == set(leaking.verdicts["role"])
    assert leaking.verdicts.loc[leaking.verdicts["role"] == "worker", "is_leak"].all()
    assert copying.copies
    assert not copying.is_leak
    assert "stable" not in set(copying.verdicts.loc[copying.verdicts["role"] == "worker", "shape"])
