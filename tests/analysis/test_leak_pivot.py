"""The value that leaks go with is named, and nothing where chance does as well."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leak_pivot import pivot_leaks

SEEDS = 12


def make_fleet(seed, *, services=30, hosts=30, runs_of_service=8):
    """A fleet of 20 labels: ten of hosts, six of services, release, region, host and Python."""
    random = np.random.default_rng(seed)
    by_host = {f"host{k}": random.integers(0, random.integers(2, 6), hosts) for k in range(10)}
    by_service = {f"kind{k}": random.integers(0, random.integers(2, 6), services) for k in range(6)}
    rows = [
        {
            "service": f"service{service}",
            "host": f"h{host}",
            "release": f"1.{random.integers(0, 5)}",
            "region": f"r{random.integers(0, 4)}",
            "python": f"3.{random.integers(11, 14)}.0",
            **{name: f"v{values[host]}" for name, values in by_host.items()},
            **{name: f"v{values[service]}" for name, values in by_service.items()},
        }
        for service in range(services)
        for host in random.choice(hosts, runs_of_service, replace=False)
    ]
    return pd.DataFrame(rows), random


@pytest.mark.slow
def test_of_twenty_labels_the_planted_one_is_named_first():
    first = 0
    for seed in range(SEEDS):
        fleet, random = make_fleet(seed)
        label = ["host3", "kind2", "release", "region"][seed % 4]
        planted = fleet[label].value_counts().index[-1]
        leaks = fleet[label].eq(planted) & (random.random(len(fleet)) < 0.9)
        found = pivot_leaks(fleet.assign(is_leak=leaks)).explanations
        names = [f"{found[0].label} {found[0].value}", *found[0].same_runs] if found else []
        first += f"{label} {planted}" in names

    assert first >= 0.95 * SEEDS


def test_where_nothing_explains_the_leaks_nothing_is_named():
    """One service leaks throughout, and one run in twenty by chance."""
    named = 0
    for seed in range(SEEDS):
        fleet, random = make_fleet(seed)
        leaks = fleet["service"].eq("service7") | (random.random(len(fleet)) < 0.05)
        named += bool(pivot_leaks(fleet.assign(is_leak=leaks)).explanations)

    assert named == 0


def test_labels_of_the_same_runs_are_named_together():
    fleet, _ = make_fleet(1)
    fleet["libfoo"] = fleet["host3"].map(lambda value: "2.3" if value == "v0" else "2.2")
    (found,) = pivot_leaks(fleet.assign(is_leak=fleet["host3"] == "v0")).explanations

    assert {f"{found.label} {found.value}", *found.same_runs} == {"host3 v0", "libfoo 2.3"}


def test_releases_since_one_are_named():
    fleet, _ = make_fleet(2)
    (found,) = pivot_leaks(fleet.assign(is_leak=fleet["release"].isin(["1.2", "1.3", "1.4"]))).explanations

    assert (found.label, found.value, found.relation) == ("release", "1.2", "since")
    assert (found.with_value, found.leaks_without_value) == (found.leaks_with_value, 0)


def test_two_leaks_with_two_reasons_are_both_named():
    fleet, _ = make_fleet(3)
    leaks = fleet["region"].eq("r1") | fleet["host4"].eq("v1")
    found = pivot_leaks(fleet.assign(is_leak=leaks)).explanations

    assert {(one.label, one.value) for one in found} == {("region", "r1"), ("host4", "v1")}


def test_a_service_that_has_a_value_in_part_does_not_silence_those_that_have_it_throughout():
    """Each service runs on two hosts; those with libfoo 2.3 leak, and one was deployed with it on one host only."""
    runs = pd.DataFrame(
        {"service": f"service{number}", "host": f"h{host}", "libfoo": "2.3" if number < 8 else "2.2"}
        for number in range(16)
        for host in range(2)
    )
    runs.loc[(runs["service"] == "service15") & (runs["host"] == "h1"), "libfoo"] = "2.3"
    (found,) = pivot_leaks(runs.assign(is_leak=runs["service"].isin([f"service{k}" for k in range(8)]))).explanations

    assert (found.label, found.value, found.unit) == ("libfoo", "2.3", "services")
    assert (found.with_value, found.leaks_with_value, found.without_value, found.leaks_without_value) == (8, 8, 7, 0)


def test_restarts_are_no_evidence():
    """A hundred runs of one process on one host are one unit, and so is each of its two neighbours."""
    runs = pd.DataFrame({"service": "api", "host": ["h1"] * 100 + ["h2"] * 100 + ["h3"] * 100})
    found = pivot_leaks(runs.assign(is_leak=runs["host"] == "h1"))

    assert found.explanations == ()
    assert found.sentence.endswith("None of them explains the leaks.")


def test_a_fleet_without_a_leak_has_nothing_to_explain():
    fleet, _ = make_fleet(4)

    assert pivot_leaks(fleet.assign(is_leak=False)).sentence.endswith("There is no leak to explain.")
