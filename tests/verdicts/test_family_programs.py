"""Programs that fork, watched for real: a leak in workers, copies of what was shared, and workers that are killed."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.families import Judged, judge_family
from benchmarks.prefork import PreforkRun, judge_ledger, run_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="private memory is read from /proc"),
]

SECONDS = 36.0


@pytest.fixture(scope="module")
def at_once() -> Iterator[ThreadPoolExecutor]:
    """Where the programs of this file run beside each other: they mostly wait."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="module")
def families(at_once: ThreadPoolExecutor) -> list["Future[Judged]"]:
    return [at_once.submit(judge_family, name, SECONDS, "auto") for name in ("pool_leak", "preload_copies")]


@pytest.fixture(scope="module")
def killed(at_once: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "Future[PreforkRun]"]:
    path = tmp_path_factory.mktemp("killed") / "ledger"
    return path, at_once.submit(run_server, SECONDS, workers=12, kills=6, options={"ledger": str(path)})


@pytest.mark.usefixtures("killed")
def test_a_pool_that_leaks_and_a_preload_server_that_copies_are_distinguished(families: list["Future[Judged]"]):
    leaking, copying = (family.result() for family in families)

    assert leaking.is_leak
    assert {"master", "worker", "family"} == set(leaking.verdicts["role"])
    assert leaking.verdicts.loc[leaking.verdicts["role"] == "worker", "is_leak"].all()
    assert copying.copies
    assert not copying.is_leak
    assert "stable" not in set(copying.verdicts.loc[copying.verdicts["role"] == "worker", "shape"])


def test_killed_workers_lose_nothing_and_their_family_has_one_verdict(killed: tuple[Path, "Future[PreforkRun]"]):
    """Each row that a recorder took is there, once, though half of the workers are killed at random."""
    path, server = killed
    run = server.result()
    judged = judge_ledger(path, run)

    assert len(run.victims) == 6
    assert judged.runs == 13
    assert sum(run.marks.values()) > 0
    assert (judged.lost_marks, judged.lost_samples, judged.doubled_samples) == (0, 0, 0)
    assert Counter(judged.verdicts["role"]) == {"master": 1, "worker": 12, "family": 1}
