"""The example programs are what the table describes: run for real, in processes of their own, all at once."""

import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from memanalysis.examples import SCENARIOS
from memanalysis.examples.batch_job import BatchJob
from memanalysis.examples.pace import Arguments
from memanalysis.examples.warming_cache import ThumbnailCache
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.loader import read_policy
from memanalysis.units import MIB

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECONDS = 8


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """One ledger directory of all three programs."""
    folder = tmp_path_factory.mktemp("examples") / "ledger"
    policy = ROOT / "memanalysis" / "examples" / "demo_policy.yaml"
    options = ["--seconds", str(SECONDS), "--ledger", str(folder), "--policy", str(policy)]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", scenario.module, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for scenario in SCENARIOS.values()
    ]
    for child in children:
        assert child.communicate(timeout=120) == (b"", b"")
        assert child.returncode == 0
    return open_ledger(folder)


def series(ledger, service, column):
    samples = ledger.samples[ledger.samples["service"] == service]
    return samples[column].astype("float64").to_numpy() / MIB


def test_all_programs_record_into_one_ledger_under_their_names(ledger):
    assert ledger.services == sorted(SCENARIOS)
    assert ledger.samples.groupby("service").size().between(SECONDS * 4, SECONDS * 12).all()
    assert not (ledger.events["kind"] == "error").any()


def test_the_leaking_service_grows_from_beginning_to_end_at_the_marked_line(ledger):
    scenario = SCENARIOS["leaky_service"]
    traced = series(ledger, "leaky_service", "traced_bytes")
    thirds = [float(part.mean()) for part in (traced[: len(traced) // 3], traced[-len(traced) // 3 :])]
    sites = ledger.sites[ledger.sites["service"] == "leaky_service"]
    biggest = sites[sites["seq"] == sites["seq"].max()].nlargest(1, "size_bytes").iloc[0]

    assert thirds[1] > 2.5 * thirds[0]
    assert 0.3 * SECONDS < traced[-1] < 1.2 * SECONDS
    assert (Path(biggest["file"]), biggest["line"]) == (scenario.file, scenario.find_leaking_line())
    assert biggest["function"] == "Shop._log_in"


def test_the_warming_cache_stops_growing_before_the_middle(ledger):
    traced = series(ledger, "warming_cache", "traced_bytes")
    second_half = traced[len(traced) // 2 :]

    assert second_half.min() > 10
    assert second_half.max() - second_half.min() < 1.5
    assert traced[: len(traced) // 5].min() < 0.75 * second_half.mean()  # it begins to fill before the first sample


def test_the_batch_job_falls_back_to_its_baseline_again_and_again(ledger):
    traced = series(ledger, "batch_job", "traced_bytes")
    is_high = traced > traced.max() / 2
    rises = np.flatnonzero(is_high[1:] & ~is_high[:-1]) + 1
    lows = [float(tooth.min()) for tooth in np.split(traced, rises)]

    assert traced.max() > 20
    assert len(rises) >= 5
    assert sum(low < traced.min() + 1 for low in lows) >= 4
    assert traced[-1] < traced.max() / 2


def test_only_the_leaking_program_has_a_leaking_line():
    assert {name: scenario.find_leaking_line() is not None for name, scenario in SCENARIOS.items()} == {
        name: scenario.is_leak for name, scenario in SCENARIOS.items()
    }
    assert [name for name, scenario in SCENARIOS.items() if scenario.is_leak] == ["leaky_service"]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=str)
def test_a_scenario_names_its_module_and_service(scenario):
    module = importlib.import_module(scenario.module)

    assert module.SERVICE == scenario.service == scenario.name
    assert Path(module.__file__) == scenario.file
    assert str(scenario) == scenario.title


def test_the_demo_policy_has_a_budget_for_each_program():
    policy = read_policy(ROOT / "memanalysis" / "examples" / "demo_policy.yaml")

    assert set(policy.memory_budgets.services) == set(SCENARIOS)


@pytest.mark.parametrize(("seconds", "samples"), [(5, 50), (20, 100), (100, 100), (600, 600)])
def test_runs_of_any_length_have_some_hundred_samples(seconds, samples):
    arguments = Arguments(seconds, Path("ledger"), None)

    assert seconds / arguments.interval_s == pytest.approx(samples)
    assert seconds / arguments.snapshot_interval_s == pytest.approx(10)


def test_a_full_cache_lets_go_of_what_was_used_longest_ago():
    cache = ThumbnailCache(2, 5000, random.Random(1))  # noqa: S311
    first = cache.serve(1)
    cache.serve(2)
    assert cache.serve(1) == first
    cache.serve(3)

    assert list(cache._pictures) == [1, 3]
    assert all(5000 <= len(picture) < 7000 for picture in cache._pictures.values())


def test_a_batch_is_released_whole():
    job = BatchJob(10, random.Random(1))  # noqa: S311
    sizes = []
    for number in range(20):
        job.step(number)
        sizes.append(sum(len(chunk) * chunk.itemsize for chunk in job._batch))

    assert max(sizes) == pytest.approx(24 * MIB, rel=0.01)
    assert sizes[7:10] == [0, 0, 0]
    assert sizes[:10] == sizes[10:]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_a_wrong_time_is_reported(seconds, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", SCENARIOS["batch_job"].module, "--seconds", seconds, "--ledger", str(tmp_path / "l")],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.returncode == 2
    assert "--seconds" in done.stderr
    assert "Traceback" not in done.stderr
