"""A recorder judges its run, at any moment, as the engine judges the samples in its ledger."""

import math
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import LiveRun, make_live_run
from memanalysis.watcher.watch import watch


def _sample(second: int, *, rss: float | None = None, traced: float | None = None, limit: float | None = None) -> dict:
    return {"elapsed_s": float(second), "rss_bytes": rss, "traced_bytes": traced, "limit_bytes": limit}


@pytest.mark.slow
def test_a_recorder_judges_its_run_as_its_ledger_is_judged(tmp_path: Path, wait_until) -> None:
    kept = []
    recorder = watch("api", ledger=tmp_path / "ledger", interval=0.02, trace="off", seal=False)
    assert recorder.assess() is None
    with recorder:
        wait_until(lambda: kept.append(bytearray(MIB)) or recorder.status().ticks >= 40)
    verdict = recorder.assess()

    samples = open_ledger(tmp_path / "ledger").samples
    limits = samples["limit_bytes"].dropna()
    limit_bytes = float(limits.iloc[-1]) if len(limits) else None
    assert verdict == assess_series(samples["elapsed_s"], samples["rss_bytes"], limit_bytes=limit_bytes)
    assert len(samples) >= 41  # the last three may be of memory that the suite let go, which are not judged


def test_a_leak_that_only_traced_bytes_show_is_judged_by_them() -> None:
    run = LiveRun()
    for second in range(60):
        run.add(_sample(second, rss=500 * MIB, traced=(20 + second) * MIB))

    verdict = run.judge()

    assert (verdict.is_leak, verdict.latest_bytes) == (True, 79 * MIB)


def test_sampled_bytes_settle_a_live_verdict_as_they_do_that_of_a_ledger() -> None:
    run = LiveRun()
    for second in range(120):
        run.add(_sample(second, rss=(100 + 5 * second**0.5) * MIB) | {"sampled_bytes": (10 + 0.3 * second) * MIB})

    assert run.judge().is_leak


def test_growth_after_the_first_quarter_is_seen_without_a_verdict() -> None:
    grows, warms_up, few = LiveRun(), LiveRun(), LiveRun()
    for second in range(60):
        grows.add(_sample(second, rss=100 * MIB + 10_000.0 * second))
        warms_up.add(_sample(second, rss=(100 + min(second, 10)) * MIB))
    few.add(_sample(0, rss=100 * MIB))

    assert grows.has_grown()
    assert not warms_up.has_grown()
    assert not few.has_grown()
    assert not LiveRun().has_grown()


def test_the_lower_of_budget_and_container_limit_counts() -> None:
    policy = parse_policy({"memory_budgets": {"services": {"api": "400MB"}}})
    run = make_live_run("api", policy)
    for second in range(60):
        run.add(_sample(second, rss=(100 + second) * MIB, limit=1000 * MIB))

    verdict = run.judge()

    assert verdict.limit_bytes == 400 * MIB
    assert math.isclose(verdict.time_to_exhaustion_s, 400 - 159, rel_tol=0.01)


def test_nothing_is_said_of_a_run_without_a_known_sample() -> None:
    run = LiveRun()
    run.add(_sample(0))

    assert run.judge() is None


@pytest.mark.parametrize("module", ["numpy", "memanalysis.policy.model"])
def test_a_recorder_that_is_not_asked_loads_neither_numpy_nor_a_policy(tmp_path: Path, module: str) -> None:
    program = f"""
import sys
from memanalysis import watch
with watch("api", ledger={str(tmp_path)!r}, trace="off", seal=False, interval=0.01) as recorder:
    while recorder.status().ticks < 5:
        pass
assert {module!r} not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
def test_the_question_does_not_wait_for_a_tick_that_is_under_way(tmp_path: Path, wait_until) -> None:
    answers = []
    with watch("api", ledger=tmp_path / "ledger", interval=0.02, trace="off", seal=False) as recorder:
        wait_until(lambda: recorder.status().ticks >= 6)
        with recorder._ticker.ticking:  # as while a tracing window is open
            asked = threading.Thread(target=lambda: answers.append(recorder.assess()))
            asked.start()
            asked.join(60)
            assert not asked.is_alive()

    assert answers[0].evidence.n_samples >= 6
