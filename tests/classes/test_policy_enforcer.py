"""Readings against budgets: status, action, and the time of grace."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from memanalysis.classes.policy_enforcer import MemoryPolicyEnforcer
from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.errors import InvalidArgumentError
from memanalysis.response.budget_levels import BudgetLevels

BUDGETS = {
    "services": {"web": {"max_memory_mb": 200, "warning_threshold_percent": 50, "critical_threshold_percent": 75}}
}


class Clock:
    """A clock that goes only when it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_enforcer(tmp_path: Path, clock: Clock) -> Callable[..., MemoryPolicyEnforcer]:
    def make(**enforcement: Any) -> MemoryPolicyEnforcer:
        path = tmp_path / "policy.yaml"
        path.write_text(yaml.safe_dump({"memory_budgets": BUDGETS, "enforcement": enforcement}), encoding="utf-8")
        return MemoryPolicyEnforcer(MemoryPolicyLoader(path), clock=clock)

    return make


@pytest.mark.parametrize(
    ("current_mb", "status", "within_budget"),
    [
        (0, "ok", True),
        (99.9, "ok", True),
        (100, "warning", True),
        (149.9, "warning", True),
        (150, "critical", True),
        (200, "critical", True),
        (200.1, "critical", False),
        (math.inf, "critical", False),
    ],
)
def test_status_changes_at_its_threshold(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], current_mb: float, status: str, within_budget: bool
) -> None:
    """50 and 75 percent of 200 MB are 100 and 150 MB; the budget itself ends at 200 MB."""
    assert make_enforcer().check_budget("web", current_mb) == {
        "service": "web",
        "current_mb": current_mb,
        "budget_mb": 200,
        "warning_mb": 100,
        "critical_mb": 150,
        "status": status,
        "within_budget": within_budget,
    }


def test_an_unknown_service_is_held_to_the_global_budget(make_enforcer: Callable[..., MemoryPolicyEnforcer]) -> None:
    result = make_enforcer().check_budget("nobody", 500)

    assert (result["budget_mb"], result["status"]) == (512, "critical")


@pytest.mark.parametrize("reading", [None, math.nan])
def test_an_unknown_reading_passes_nothing(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], reading: float | None
) -> None:
    enforced = make_enforcer().enforce_limits("web", reading)

    assert enforced["check_result"]["status"] == "unknown"
    assert enforced["check_result"]["within_budget"] is None
    assert enforced["check_result"]["current_mb"] is None
    assert enforced["action"] == "none"
    assert enforced["reason"] == "The memory of web is not available, so its budget cannot be checked."


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (-1, "check_budget needs current_mb from 0 MB, but got -1. Give None where it is not known."),
        (
            True,
            "check_budget needs current_mb as a number of MB or None, but got True. "
            "Give the MB in use, for example snapshot.current_mb.",
        ),
        (
            "90",
            "check_budget needs current_mb as a number of MB or None, but got '90'. "
            "Give the MB in use, for example snapshot.current_mb.",
        ),
    ],
)
def test_what_is_no_reading_is_refused(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], reading: Any, text: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make_enforcer().check_budget("web", reading)

    assert str(caught.value) == text


def test_below_the_warning_nothing_is_done(make_enforcer: Callable[..., MemoryPolicyEnforcer]) -> None:
    enforced = make_enforcer().enforce_limits("web", 40)

    assert enforced["action"] == "none"
    assert enforced["reason"] == "web uses 40.0 MB of 200 MB, below its warning threshold of 100.0 MB."


def test_at_the_warning_the_soft_action_is_wanted_at_once(make_enforcer: Callable[..., MemoryPolicyEnforcer]) -> None:
    enforced = make_enforcer(soft_limits={"action": "alert_and_cleanup"}).enforce_limits("web", 120)

    assert enforced["action"] == "alert_and_cleanup"
    assert enforced["reason"] == "web uses 120.0 MB of 200 MB and has reached its warning threshold of 100.0 MB."


@pytest.mark.parametrize(("current_mb", "name"), [(120, "soft_limits"), (180, "hard_limits")])
def test_limits_that_are_off_want_nothing_and_say_so(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], current_mb: float, name: str
) -> None:
    enforced = make_enforcer(**{name: {"enabled": False}}).enforce_limits("web", current_mb)

    assert enforced["action"] == "none"
    assert enforced["reason"].endswith(f"but enforcement.{name} is not enabled.")


def test_the_hard_action_comes_after_the_grace_period(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock
) -> None:
    enforcer = make_enforcer(hard_limits={"action": "alert_and_restart"}, grace_period_seconds=60)
    actions = []
    for _ in range(4):
        actions.append(enforcer.enforce_limits("web", 180)["action"])
        clock.now_s += 20

    assert actions == ["alert_only", "alert_only", "alert_only", "alert_and_restart"]


def test_the_reason_says_how_long_remains(make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock) -> None:
    enforcer = make_enforcer(grace_period_seconds=60)
    enforcer.enforce_limits("web", 180)
    clock.now_s += 45

    assert enforcer.enforce_limits("web", 180)["reason"] == (
        "web uses 180.0 MB of 200 MB and has reached its critical threshold of 150.0 MB; "
        "alert_and_cleanup follows in 15.0 s if it stays so."
    )


def test_recovery_that_lasts_starts_the_grace_period_again(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock
) -> None:
    enforcer = make_enforcer(grace_period_seconds=60)
    actions = []
    for current_mb in (180, 120, 120, 180):
        actions.append(enforcer.enforce_limits("web", current_mb)["action"])
        clock.now_s += 60

    assert actions == ["alert_only", "alert_only", "alert_only", "alert_only"]
    assert enforcer.enforce_limits("web", 180)["action"] == "alert_and_cleanup"


@pytest.mark.parametrize("lower_mb", [0, 90, 120, 149])
def test_a_short_fall_is_no_recovery(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock, lower_mb: float
) -> None:
    """Below its critical threshold nothing hard is wanted, but the time at the threshold goes on."""
    enforcer = make_enforcer(grace_period_seconds=60)
    actions = []
    for current_mb in (180, lower_mb, 180):
        actions.append(enforcer.enforce_limits("web", current_mb)["action"])
        clock.now_s += 30

    assert actions == ["alert_only", "none" if lower_mb < 100 else "alert_only", "alert_and_cleanup"]


def test_a_class_and_a_watched_run_want_the_hard_action_at_the_same_readings(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock
) -> None:
    """Some minutes around every threshold, with gaps, deep falls and readings that are not known."""
    rng = random.Random(7)  # noqa: S311 - the same readings each time
    enforcer = make_enforcer(hard_limits={"action": "alert_and_restart"}, grace_period_seconds=20)
    levels = BudgetLevels(clock=clock)
    by_class, by_run = [], []
    for _ in range(600):
        reading = rng.choice([40, 99, 120, 140, 146, 151, 160, 199, 201, None])
        for _ in range(rng.choice([1, 1, 1, 30])):
            by_class.append(enforcer.enforce_limits("web", reading)["action"] == "alert_and_restart")
            step = levels.update(enforcer.loader.policy, "web", reading)
            by_run.append(step is not None and step.action == "alert_and_restart")
            clock.now_s += rng.choice([0.5, 1, 5])

    assert by_class == by_run
    assert 100 < sum(by_run) < len(by_run) - 100


def test_an_unknown_reading_is_no_recovery(make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock) -> None:
    enforcer = make_enforcer(grace_period_seconds=60)
    actions = []
    for current_mb in (180, None, 180):
        actions.append(enforcer.enforce_limits("web", current_mb)["action"])
        clock.now_s += 60

    assert actions == ["alert_only", "none", "alert_and_cleanup"]


def test_each_service_has_its_own_grace_period(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], clock: Clock
) -> None:
    enforcer = make_enforcer(grace_period_seconds=60)
    enforcer.enforce_limits("web", 180)
    clock.now_s += 60

    assert enforcer.enforce_limits("other", 500)["action"] == "alert_only"
    assert enforcer.enforce_limits("web", 180)["action"] == "alert_and_cleanup"


def test_without_grace_the_hard_action_is_wanted_at_once(make_enforcer: Callable[..., MemoryPolicyEnforcer]) -> None:
    assert make_enforcer(grace_period_seconds=0).enforce_limits("web", 180)["action"] == "alert_and_cleanup"


def test_a_policy_loaded_again_holds_from_then_on(
    make_enforcer: Callable[..., MemoryPolicyEnforcer], tmp_path: Path
) -> None:
    enforcer = make_enforcer()
    (tmp_path / "policy.yaml").write_text("memory_budgets: {services: {web: 1GB}}", encoding="utf-8")
    enforcer.loader.load()

    assert enforcer.check_budget("web", 180)["status"] == "ok"
