"""Budgets, defaults, and mappings that hold only some sections."""

import copy
import math
import pickle
from typing import Any

import pytest

from memanalysis.errors import InvalidArgumentError, PolicyError
from memanalysis.policy.model import MemoryBudget, Policy, parse_policy


@pytest.mark.slow
def test_thresholds_of_a_budget_are_percents_of_it() -> None:
    """75 and 90 percent of 200 MB are 150 and 180 MB."""
    budget = MemoryBudget(200, 75, 90)

    assert (budget.warning_mb, budget.critical_mb) == (150, 180)


@pytest.mark.parametrize("size", [0, -1, math.nan, math.inf, 2**43 + 1, "100MB", None, True])
def test_a_budget_is_above_zero_and_fits_the_address_space(size: Any) -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^MemoryBudget needs max_memory_mb above 0 MB up to 8796093022208,"
    ):
        MemoryBudget(size, 80, 95)


@pytest.mark.parametrize("percents", [(0, 95), (96, 95), (80, 101), (math.nan, 95), (80, math.nan), ("80", 95)])
def test_thresholds_of_a_budget_are_in_order(percents: tuple[Any, Any]) -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"0 < warning_threshold_percent <= critical_threshold_percent <= 100"
    ):
        MemoryBudget(512, *percents)


def test_an_empty_mapping_is_the_default_policy() -> None:
    assert parse_policy({}) == Policy()


def test_a_mapping_with_one_section_leaves_the_others_as_they_are() -> None:
    policy = parse_policy({"leak_detection": {"thresholds": {"memory_growth_mb": 3}}})

    assert policy.leak_detection.thresholds.memory_growth_mb == 3
    assert policy.leak_detection.thresholds.memory_growth_percent == 20
    assert policy.monitoring == Policy().monitoring


def test_a_service_takes_from_global_what_it_leaves_out() -> None:
    """Wherever global stands in the file, before or after the services."""
    budgets = {
        "services": {"a": "100MB", "b": {"max_memory_mb": 7}, "c": {"warning_threshold_percent": 10}},
        "global": {"max_memory_mb": 300, "warning_threshold_percent": 50, "critical_threshold_percent": 60},
    }

    policy = parse_policy({"memory_budgets": budgets})

    assert policy.budget_for("a") == MemoryBudget(100, 50, 60)
    assert policy.budget_for("b") == MemoryBudget(7, 50, 60)
    assert policy.budget_for("c") == MemoryBudget(300, 10, 60)


def test_a_service_that_is_not_named_has_the_global_budget() -> None:
    policy = parse_policy({"memory_budgets": {"global": {"max_memory_mb": 300}}})

    assert policy.budget_for("nobody") == MemoryBudget(300, 80, 95)


@pytest.mark.parametrize(
    ("text", "size_mb"), [("100MB", 100), ("100 MB", 100), ("1.5GiB", 1536), ("512 kb", 0.5), ("1048576B", 1)]
)
def test_a_service_may_be_a_size_alone(text: str, size_mb: float) -> None:
    policy = parse_policy({"memory_budgets": {"services": {"messaging": text}}})

    assert policy.budget_for("messaging") == MemoryBudget(size_mb, 80, 95)


def test_a_service_says_which_memory_counts_or_takes_the_word_of_global() -> None:
    budgets = {"global": {"metric": "private"}, "services": {"a": "7MB", "b": {"metric": "family"}}}
    policy = parse_policy({"memory_budgets": budgets})

    assert [policy.budget_for(name).metric for name in ("a", "b", "nobody")] == ["private", "family", "private"]
    assert parse_policy({}).budget_for("x").metric == "auto"


def test_equal_thresholds_are_in_order() -> None:
    same = {"warning_threshold_percent": 100, "critical_threshold_percent": 100}

    assert parse_policy({"memory_budgets": {"global": same}}).budget_for("x").critical_mb == 512


def test_a_whole_number_may_be_written_with_a_point() -> None:
    limit = parse_policy({"monitoring": {"tracemalloc": {"trace_limit": 25.0}}}).monitoring.tracemalloc.trace_limit

    assert (limit, type(limit)) == (25, int)


def test_empty_lists_mean_none_of_them() -> None:
    policy = parse_policy({"alerts": {"channels": []}, "leak_detection": {"auto_cleanup": {"methods": []}}})

    assert policy.alerts.channels == policy.leak_detection.auto_cleanup.methods == ()


def test_a_policy_is_given_back_as_it_is() -> None:
    policy = Policy()

    assert parse_policy(policy) is policy


def test_a_policy_can_be_copied_and_sent_to_another_process() -> None:
    policy = parse_policy({"memory_budgets": {"services": {"a": "1MB"}}})

    assert copy.deepcopy(policy) == pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - our own bytes


def test_the_hash_follows_what_a_policy_says() -> None:
    """Writing a default out changes nothing; changing a value does."""
    written_out = parse_policy({"ledger": {"retention": {"max_age_days": 30}}})
    changed = parse_policy({"ledger": {"retention": {"max_age_days": 31}}})

    assert written_out.sha256 == Policy().sha256 != changed.sha256
    assert len(changed.sha256) == 64


def test_the_mapping_given_is_not_changed() -> None:
    mapping = {"memory_budgets": {"services": {"a": "1MB"}}, "alerts": {"channels": ["logging"]}}
    before = copy.deepcopy(mapping)

    parse_policy(mapping)

    assert mapping == before


def test_a_number_with_more_digits_than_python_writes_is_an_error_of_one_line() -> None:
    with pytest.raises(
        PolicyError, match=r"but got a number of more than 38 digits\. Write for example 100 or 100MB\.$"
    ):
        parse_policy({"memory_budgets": {"global": {"max_memory_mb": 10**5000}}})


def test_an_error_without_a_file_names_the_source_and_the_key() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy({"leak_detection": {"sensitivity": "hi"}}, source="config")

    assert str(caught.value) == (
        "config: leak_detection.sensitivity: needs one of low, medium, high, but got the text 'hi'. "
        "Perhaps high was meant."
    )
