"""A service is alerted of the same problem at the same level only after the cooldown, and of another at its end."""

import pytest

from memanalysis.response.alerts.alert import AlertLevel
from memanalysis.response.alerts.cooldown import AlertCooldown


class Cooled:
    """A cooldown of 300 s whose clock is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._cooldown = AlertCooldown(clock=lambda: self.now_s)

    def reserve(
        self, at_s: float, problem: str = "a", *, service: str = "api", level: AlertLevel = "warning"
    ) -> float | None:
        self.now_s = at_s
        return self._cooldown.reserve(service, level, problem, seconds=300)


@pytest.mark.slow
def test_a_problem_is_alerted_again_after_the_cooldown_of_its_level() -> None:
    cooled = Cooled()

    assert [cooled.reserve(at_s) for at_s in (0, 1, 299, 300, 599, 600)] == [0, None, None, 0, None, 0]


def test_another_problem_waits_for_the_end_of_the_cooldown_and_a_third_for_the_next() -> None:
    cooled = Cooled()

    assert [cooled.reserve(10, problem) for problem in "abc"] == [0, 300, 600]
    assert [cooled.reserve(20, problem) for problem in "abc"] == [None, None, None]
    assert cooled.reserve(310, "b") is None
    assert cooled.reserve(1000, "b") == 0


def test_services_and_levels_cool_down_apart() -> None:
    cooled = Cooled()

    assert cooled.reserve(5) == 0
    assert cooled.reserve(5, level="critical") == 0
    assert cooled.reserve(5, service="worker") == 0
    assert cooled.reserve(5, service="worker") is None


def test_a_cooldown_of_nothing_holds_nothing_back() -> None:
    cooldown = AlertCooldown(clock=lambda: 7.0)

    assert [cooldown.reserve("api", "emergency", problem, seconds=0) for problem in "aabb"] == [0, 0, 0, 0]
