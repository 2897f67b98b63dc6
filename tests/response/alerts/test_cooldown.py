"""A service is alerted again at the same level only after the cooldown."""

from memanalysis.response.alerts.cooldown import AlertCooldown


def test_a_level_is_alerted_again_after_its_cooldown():
    now = [0.0]
    cooldown = AlertCooldown(clock=lambda: now[0])

    def start(at_s: float) -> bool:
        now[0] = at_s
        return cooldown.start("api", "warning", seconds=300)

    assert [start(at_s) for at_s in (0, 1, 299, 300, 599, 600)] == [True, False, False, True, False, True]


def test_services_and_levels_cool_down_apart():
    cooldown = AlertCooldown(clock=lambda: 5.0)

    assert cooldown.start("api", "warning", seconds=300)
    assert cooldown.start("api", "critical", seconds=300)
    assert cooldown.start("worker", "warning", seconds=300)
    assert not cooldown.start("worker", "warning", seconds=300)
