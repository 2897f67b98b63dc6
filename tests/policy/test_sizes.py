"""Sizes are numbers of MB, texts with a unit, or shares of the limit."""

import pytest

from memanalysis._machine import read_machine_bytes
from memanalysis.errors import PolicyError
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.policy.sizes import LimitShare, read_size

GIB = 2**30


def global_budget(size: object) -> Policy:
    return parse_policy({"memory_budgets": {"global": {"max_memory_mb": size}, "services": {"api": "1 MB"}}})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100),
        ("1.5 GiB", 1536),
        ("512 kb", 0.5),
        ("1TB", 2**20),
        ("0.5 TiB", 2**19),
        ("2t", 2**21),
        ("80% of limit", LimitShare(80)),
        (" 12.5 %  OF the limit ", LimitShare(12.5)),
        ("0% of limit", None),
        ("101% of limit", None),
        ("80%", None),
        ("100", None),
        ("MB", None),
    ],
)
def test_a_size_has_a_unit_or_is_a_share(text: str, size: object) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(("size", "size_mb"), [(100, 100), (0.5, 0.5), ("100MB", 100), ("1.5 GiB", 1536)])
def test_every_key_of_a_size_takes_a_number_or_a_text(size: object, size_mb: float) -> None:
    policy = parse_policy(
        {
            "memory_budgets": {"global": {"max_memory_mb": size}, "services": {"api": {"max_memory_mb": size}}},
            "leak_detection": {"thresholds": {"memory_growth_mb": size}, "auto_cleanup": {"threshold_mb": size}},
        }
    )

    assert policy.budget_for("api").max_memory_mb == policy.budget_for("x").max_memory_mb == size_mb
    assert policy.leak_detection.thresholds.memory_growth_mb == size_mb
    assert policy.leak_detection.auto_cleanup.threshold_mb == size_mb


def test_a_share_follows_the_limit() -> None:
    policy = global_budget("80% of limit")

    assert policy.for_limit(10 * GIB).budget_for("x").max_memory_mb == pytest.approx(8192)
    assert policy.for_limit(10 * GIB).for_limit(5 * GIB).budget_for("x").max_memory_mb == pytest.approx(4096)
    assert policy.for_limit(10 * GIB).budget_for("api").max_memory_mb == 1


def test_a_share_without_a_limit_is_of_the_machine() -> None:
    budget = global_budget("50% of limit").for_limit(None).budget_for("x")

    assert budget.max_memory_mb == pytest.approx(read_machine_bytes() / 2**20 / 2)


def test_a_share_is_written_as_a_share_whatever_the_limit_is() -> None:
    policy = global_budget("80% of limit")
    mapping = policy.for_limit(GIB).to_mapping()

    assert mapping["memory_budgets"]["global"]["max_memory_mb"] == "80% of limit"
    assert policy.for_limit(GIB).sha256 == policy.sha256
    assert parse_policy(mapping) == policy


def test_a_service_takes_the_share_of_global_unless_it_has_a_size() -> None:
    budgets = {"global": {"max_memory_mb": "50% of limit"}, "services": {"a": {"warning_threshold_percent": 10}}}
    policy = parse_policy({"memory_budgets": budgets | {"services": {**budgets["services"], "b": "7MB"}}})

    assert [policy.for_limit(GIB).budget_for(name).max_memory_mb for name in ("a", "b")] == [512, 7]


def test_a_threshold_of_growth_is_no_share_of_the_limit() -> None:
    with pytest.raises(PolicyError, match=r"needs a number of MB above 0 or a size with its unit, but got the text"):
        parse_policy({"leak_detection": {"thresholds": {"memory_growth_mb": "2% of limit"}}})
