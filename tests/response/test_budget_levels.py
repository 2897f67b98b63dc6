"""A level is reached once, alerted once, and left only when the reading has stayed well below it."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.policy.model import Policy, parse_policy
from memanalysis.response.budget_levels import BudgetLevels

GRACE_S = 60.0
BUDGET = {"memory_budgets": {"services": {"api": {"max_memory_mb": 100}}}}  # warning from 80, critical from 95


class Service:
    """One service, read once a second."""

    def __init__(self, **enforcement: object) -> None:
        self.policy: Policy = parse_policy({**BUDGET, "enforcement": enforcement})
        self.now_s = 0.0
        self.levels = BudgetLevels(clock=lambda: self.now_s)
        self.changes: list[tuple[float, str | None]] = []
        self.alerts: list[tuple[float, str]] = []
        self.actions: list[tuple[float, str]] = []
        self.messages: list[str] = []

    def read(self, mb: float | None, *, seconds: float = 1.0) -> None:
        step = self.levels.update(self.policy, "api", mb)
        if step is not None:
            self.changes += [(self.now_s, step.level)] if step.has_changed else []
            self.alerts += [(self.now_s, alert.level) for alert in step.alerts]
            self.messages += [alert.message for alert in step.alerts]
            self.actions.append((self.now_s, step.action))
        self.now_s += seconds


def test_steady_growth_alerts_each_level_once_and_critical_after_the_grace_period() -> None:
    """1 MB a second from 70 MB: 80 MB after 10 s, 95 MB after 25 s, above 100 MB after 31 s, 60 s critical at 85 s."""
    service = Service()
    for second in range(200):
        service.read(70 + second)

    assert service.changes == [(10, "warning"), (25, "critical"), (31, "emergency")]
    assert service.alerts == [(10, "warning"), (31, "emergency"), (85, "critical")]


@pytest.mark.parametrize("threshold_mb", [80, 95, 100])
def test_a_wobble_around_a_threshold_adds_no_alert(threshold_mb: float) -> None:
    """Readings 3 % below and 3 % above the threshold in turn, for ten minutes."""
    service = Service()
    for second in range(600):
        service.read(threshold_mb * (1.03 if second % 2 else 0.97))
    levels = [level for _, level in service.alerts]

    assert sorted(levels) == sorted(set(levels))


def test_a_deep_fall_shorter_than_the_grace_period_is_no_recovery() -> None:
    service = Service()
    for _ in range(10):
        for mb in [85] * 5 + [20] * 50:
            service.read(mb)

    assert service.alerts == [(0, "warning")]
    assert service.changes == [(0, "warning")]


def test_a_level_is_left_once_every_reading_was_well_below_it_for_the_grace_period() -> None:
    service = Service()
    for mb in [85] + [75.9] * 61 + [85]:
        service.read(mb)

    assert service.changes == [(0, "warning"), (61, None), (62, "warning")]
    assert service.alerts == [(0, "warning"), (62, "warning")]


def test_a_reading_just_below_a_threshold_does_not_leave_it() -> None:
    """The margin is 5 % of the threshold: 76 MB of 80 MB."""
    service = Service()
    for mb in [85] + [76.1] * 1000:
        service.read(mb)

    assert service.changes == [(0, "warning")]


def test_a_level_falls_to_the_one_that_the_reading_is_at() -> None:
    service = Service()
    for mb in [101] + [85] * 61:
        service.read(mb)

    assert service.changes == [(0, "emergency"), (61, "warning")]


def test_a_jump_past_every_threshold_alerts_each_level_that_it_passed() -> None:
    service = Service()
    for _ in range(120):
        service.read(150)

    assert service.alerts == [(0, "warning"), (0, "emergency"), (60, "critical")]


def test_the_hard_action_waits_for_the_grace_period_and_for_a_critical_reading() -> None:
    """Wobbling between 92 and 96 MB is still critical; the action comes with a reading of 96."""
    service = Service(hard_limits={"action": "alert_and_restart"})
    for second in range(90):
        service.read(92 if second % 2 else 96)

    restarts = [second for second, action in service.actions if action == "alert_and_restart"]
    assert restarts == list(range(60, 90, 2))


def test_the_soft_action_is_wanted_at_the_warning_and_not_below_it() -> None:
    service = Service(soft_limits={"action": "alert_and_cleanup"})
    for mb in (85, 79, 81):
        service.read(mb)

    assert service.actions == [(0, "alert_and_cleanup"), (1, "none"), (2, "alert_and_cleanup")]


def test_limits_that_are_off_alert_nobody_and_the_level_is_still_seen() -> None:
    service = Service(hard_limits={"enabled": False}, soft_limits={"enabled": False})
    for mb in (85, 97, 120):
        service.read(mb, seconds=100)

    assert [level for _, level in service.changes] == ["warning", "critical", "emergency"]
    assert service.alerts == []
    assert {action for _, action in service.actions} == {"none"}


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_an_unknown_reading_changes_nothing(unknown: float | None) -> None:
    service = Service()
    for mb in [85, unknown, unknown] + [70] * 30 + [unknown] * 10 + [70] * 19:
        service.read(mb)

    assert service.changes == [(0, "warning")]


def test_messages_have_the_figures_and_what_follows() -> None:
    service = Service(grace_period_seconds=30)
    for _ in range(31):
        service.read(120)

    assert service.messages == [
        "api uses 120.0 MB, above its whole budget of 100 MB; alert_and_cleanup follows after 30.0 s if it stays so.",
        "api uses 120.0 MB, above its whole budget of 100 MB; alert_and_cleanup follows after 30.0 s if it stays so.",
        "api uses 120.0 MB, above its whole budget of 100 MB, and has been critical for 30.0 s.",
    ]


@given(st.lists(st.one_of(st.none(), st.floats(0, 200)), max_size=200), st.sampled_from([0.0, 1.0, 5.0]))
def test_between_two_alerts_of_a_level_that_level_was_left(readings: list[float | None], grace_s: float) -> None:
    service = Service(grace_period_seconds=grace_s)
    order = [None, "warning", "critical", "emergency"]
    for mb in readings:
        service.read(mb)
    for level in order[1:]:
        times = [second for second, alerted in service.alerts if alerted == level]
        for earlier, later in pairwise(times):
            between = [order.index(reached) for second, reached in service.changes if earlier < second <= later]
            assert any(rank < order.index(level) for rank in between)
