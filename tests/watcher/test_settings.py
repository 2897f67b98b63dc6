"""Arguments and policy become settings: arguments win, wrong ones raise at once."""

from pathlib import Path

import pytest

from memanalysis.errors import InvalidArgumentError, PolicyError
from memanalysis.policy.model import parse_policy
from memanalysis.watcher.watch import watch


def settings(policy=None, **arguments):
    return watch("api", policy=None if policy is None else parse_policy(policy), **arguments).settings


def test_without_a_policy_the_defaults_hold():
    found = settings()

    assert found.ledger == Path("memanalysis-ledger")
    assert (found.interval_s, found.trace, found.trace_limit, found.snapshot_interval_s) == (1.0, "auto", 25, 60.0)
    assert found.left_out == frozenset()


def test_the_policy_decides_what_no_argument_does():
    found = settings(
        {
            "monitoring": {
                "tracemalloc": {"enabled": False, "trace_limit": 3},
                "snapshots": {"interval_seconds": 7, "retention_count": 4},
                "metrics": ["memory_usage", "garbage_collection_stats"],
            },
            "ledger": {"storage_path": "somewhere/ledger"},
        }
    )

    assert (found.trace, found.trace_limit, found.snapshot_interval_s, found.kept_snapshots) == ("off", 3, 7, 4)
    assert found.left_out == {"object_count", "live_allocations"}
    assert found.ledger == Path("somewhere/ledger")


def test_arguments_win_over_the_policy():
    policy = {"monitoring": {"tracemalloc": {"enabled": False}, "snapshots": {"enabled": False}}}

    found = settings(policy, trace="full", trace_limit=2, snapshot_interval=5, ledger="here")

    assert (found.trace, found.trace_limit, found.snapshot_interval_s) == ("full", 2, 5)
    assert found.ledger == Path("here")


def test_snapshots_that_the_policy_turns_off_are_not_taken():
    assert settings({"monitoring": {"snapshots": {"enabled": False}}}).snapshot_interval_s is None


def test_the_json_path_of_the_class_interface_gives_a_folder_beside_it():
    assert settings({}).ledger == Path("logs/memory_ledger")


def test_a_ledger_that_the_policy_turns_off_is_not_written_unless_an_argument_names_one():
    policy = {"ledger": {"enabled": False}}

    assert settings(policy).ledger is None
    assert settings(policy, ledger="here").ledger == Path("here")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"service": ""}, "watch needs the name of a service, but got ''"),
        ({"interval": 0}, r"watch needs interval of at least 0\.01 s, but got 0"),
        ({"interval": float("nan")}, "watch needs interval of at least"),
        ({"interval": "1"}, "watch needs interval of at least"),
        ({"snapshot_interval": -1}, "watch needs snapshot_interval of at least"),
        (
            {"trace": "sometimes"},
            "watch needs trace='auto', 'sampled', 'windows', 'full' or 'off', but got 'sometimes'",
        ),
        ({"max_overhead": 0}, "watch needs max_overhead above 0 and at most 1, but got 0"),
        ({"max_overhead": 1.5}, "watch needs max_overhead above 0 and at most 1, but got 1.5"),
        ({"trace_limit": 0}, "watch needs trace_limit of at least 1, but got 0"),
        ({"top_sites": -1}, "watch needs top_sites of at least 0, but got -1"),
        ({"policy": 3}, "watch needs policy= as a path, a mapping or a Policy, but got int"),
    ],
)
def test_wrong_arguments_raise_before_anything_runs(arguments, text):
    with pytest.raises(InvalidArgumentError, match=text):
        watch(**{"service": "api", **arguments})


def test_a_broken_or_missing_policy_raises_before_anything_runs(tmp_path):
    broken = tmp_path / "policy.yaml"
    broken.write_text("memory_budgets: {global: {max_memory_mb: -1}}")

    with pytest.raises(PolicyError, match="max_memory_mb"):
        watch("api", policy=broken)
    with pytest.raises(PolicyError, match="no such file"):
        watch("api", policy=tmp_path / "none.yaml")
