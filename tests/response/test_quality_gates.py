"""Only work that is within its budget, or warns of it, passes the gates."""

import pytest

from memanalysis.policy.enforcer import check_budget
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.response.quality_gates import check_gates, describe_excess


@pytest.fixture
def policy() -> Policy:
    """100 MB, with a warning from 80 and critical from 95."""
    services = {"api": {"max_memory_mb": 100, "warning_threshold_percent": 80, "critical_threshold_percent": 95}}
    return parse_policy({"memory_budgets": {"services": services}})


@pytest.mark.parametrize(
    ("current_mb", "passes"), [(0.0, True), (79.9, True), (80.0, True), (94.9, True), (95.0, False), (300.0, False)]
)
def test_a_warning_passes_and_what_is_critical_fails(policy: Policy, current_mb: float, passes: bool) -> None:
    gates = check_gates(check_budget(policy, "api", current_mb))

    assert bool(gates) is gates.passed is passes
    assert [failure.gate for failure in gates.failures] == ([] if passes else ["budget"])
    assert gates.is_checked


def test_what_is_unknown_fails_and_is_not_taken_for_zero(policy: Policy) -> None:
    (failure,) = check_gates(check_budget(policy, "api", None)).failures

    assert failure.gate == "measurement"
    assert failure.reason == "The memory of api is not available, so its budget cannot be checked."


def test_the_reason_names_what_is_used_what_is_allowed_and_where_the_level_begins(policy: Policy) -> None:
    check = check_budget(policy, "api", 120.0)

    assert describe_excess(check, "critical") == "api uses 120.0 MB of 100 MB, and critical begins at 95.0 MB."
    assert describe_excess(check, "emergency") == "api uses 120.0 MB of 100 MB, and emergency begins at 100.0 MB."
