"""What the verdicts on several services show together, of a fleet whose runs are written down here."""

import pandas as pd
import pytest
from factories import as_samples, ramp

from memanalysis.analysis.fleet_overview import FleetOverview, summarize_fleet
from memanalysis.analysis.leak_pivot import pivot_leaks
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.units import GIB, MIB


def flat(level):
    return ramp(slope=0.0, n=100, start=level, sigma=MIB / 4)


@pytest.fixture(scope="module")
def overview() -> FleetOverview:
    """Six runs of ``web``, one of them twice as large; ``shop`` and ``cart`` leak, the second twice as fast."""
    web = [as_samples(flat(200 * MIB), service="web", run_id=f"web-{number}") for number in range(5)]
    large = as_samples(flat(400 * MIB), service="web", run_id="web-5")
    leaking = [
        as_samples(ramp(n=100, slope=slope * MIB), service=service, run_id=run_id, limit_bytes=GIB)
        for service, run_id, slope in (("shop", "shop-0", 1), ("cart", "cart-0", 2), ("cart", "cart-1", 2))
    ]
    verdicts = assess_samples(pd.concat([*web, large, *leaking])).assign(has_ended=False)
    verdicts.loc[verdicts["is_leak"], ["responsible_file", "responsible_line"]] = ["app/shared.py", 7]
    hosts = verdicts[["service", "run_id"]].assign(host=[f"node-{number}" for number in range(len(verdicts))])
    return summarize_fleet(verdicts, hosts, pivot_leaks(verdicts[["service", "is_leak"]]))


def test_services_are_listed_by_what_their_runs_grow_together(overview: FleetOverview):
    assert overview.growth["service"].tolist() == ["cart", "shop"]
    assert overview.growth["slope_bytes_per_s"].tolist() == pytest.approx([4 * MIB, MIB], rel=0.01)
    assert overview.growth[["leaking_runs", "runs"]].to_numpy().tolist() == [[2, 2], [1, 1]]


def test_runs_that_have_ended_add_nothing_to_those_that_grow_now() -> None:
    """Of the five runs of cart four were restarted; of job there are ended ones alone."""
    runs = [("cart", f"cart-{number}", 2) for number in range(5)] + [("job", "job-0", 1), ("job", "job-1", 1)]
    leaking = [as_samples(ramp(n=100, slope=mb * MIB), service=name, run_id=run_id) for name, run_id, mb in runs]
    verdicts = assess_samples(pd.concat(leaking))
    verdicts["has_ended"] = verdicts["run_id"] != "cart-4"
    hosts = verdicts[["service", "run_id"]].assign(host="node")
    growth = summarize_fleet(verdicts, hosts, pivot_leaks(verdicts[["service", "is_leak"]])).growth

    assert growth["service"].tolist() == ["cart", "job"]
    assert growth["slope_bytes_per_s"].tolist() == pytest.approx([2 * MIB, 2 * MIB], rel=0.01)
    assert growth[["leaking_runs", "runs"]].to_numpy().tolist() == [[1, 5], [2, 2]]


def test_the_budget_that_breaks_first_comes_first_and_each_service_once(overview: FleetOverview):
    assert overview.budgets["service"].tolist() == ["cart", "shop"]
    assert overview.budgets["time_to_exhaustion_s"].is_monotonic_increasing


def test_a_line_that_leaks_in_two_services_is_one_leak(overview: FleetOverview):
    (leak,) = overview.leaks.to_dict("records")

    assert (leak["file"], leak["services"], leak["runs"], leak["hosts"]) == ("app/shared.py", ["cart", "shop"], 3, 3)


def test_the_run_that_differs_from_its_peers_is_named(overview: FleetOverview):
    (run,) = overview.peers.to_dict("records")

    assert (run["run_id"], run["peers"]) == ("web-5", 5)
    assert (run["latest_bytes"] / MIB, run["median_bytes"] / MIB) == pytest.approx((400, 200), rel=0.05)
