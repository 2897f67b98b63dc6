"""An alert goes out once, by the channels that act, and then keeps quiet for a while."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import running

from memanalysis.errors import InvalidArgumentError, PolicyError
from memanalysis.policy.enforcer import check_budget
from memanalysis.policy.loader import read_policy
from memanalysis.response.alerts.alert import Alert, AlertLevel, find_level
from memanalysis.response.alerts.alert_claims import TAKE_OVER_INTERVAL_S, AlertClaims
from memanalysis.response.alerts.dispatch import AlertDispatcher

ROOT = Path(__file__).parents[3]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def alert(level: AlertLevel = "warning", service: str = "web", message: str = "web grows.") -> Alert:
    return Alert(level, service, message, 1_700_000_000.0)


@pytest.mark.parametrize(
    ("level", "number"), [("warning", logging.WARNING), ("critical", logging.CRITICAL), ("emergency", logging.CRITICAL)]
)
def test_an_alert_goes_into_the_log(level: AlertLevel, number: int, caplog: pytest.LogCaptureFixture) -> None:
    sent = alert(level)

    assert AlertDispatcher({}).dispatch(sent) == ("logging",)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("memanalysis.alerts", number)
    assert record.getMessage() == f"Memory {level}: web grows."
    assert record.alert is sent  # type: ignore[attr-defined]


def test_a_message_stays_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    AlertDispatcher({}).dispatch(alert(message="a\nCRITICAL forged\r\n\tb"))

    assert caplog.records[0].getMessage() == "Memory warning: a CRITICAL forged b"


@pytest.mark.parametrize(("level", "cooldown_s"), [("warning", 300), ("critical", 60)])
def test_the_same_alert_waits_for_the_cooldown_of_its_level(
    level: AlertLevel, cooldown_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    dispatcher = AlertDispatcher({}, clock=clock)
    sent = []
    for clock.now_s in (0, cooldown_s - 1, cooldown_s, cooldown_s + 1, 2 * cooldown_s):
        sent.append(bool(dispatcher.dispatch(alert(level))))

    assert sent == [True, False, True, False, True]
    assert len(caplog.records) == 3


def test_emergencies_all_go_out(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AlertDispatcher({}, clock=Clock())
    for _ in range(5):
        dispatcher.dispatch(alert("emergency"))

    assert len(caplog.records) == 5


def test_services_and_levels_do_not_hold_each_other_back() -> None:
    dispatcher = AlertDispatcher({}, clock=Clock())

    assert dispatcher.dispatch(alert("warning", "web"))
    assert dispatcher.dispatch(alert("warning", "worker"))
    assert dispatcher.dispatch(alert("critical", "web"))
    assert not dispatcher.dispatch(alert("warning", "web"))


CLAIMING = """
import sys, time
from pathlib import Path
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.alert_claims import AlertClaims
from memanalysis.response.alerts.dispatch import AlertDispatcher

claims = AlertClaims(Path(sys.argv[1]), monotonic=time.monotonic, wall=time.time)
alert = Alert("emergency", "web", "web grows there.", time.time())
if sys.argv[2] == "sent":
    AlertDispatcher({}, claims=claims).dispatch(alert, group="family")
else:
    claims.claim(alert, "family", seconds=300)
print("claimed", flush=True)
input()
"""


@pytest.mark.parametrize(("state", "messages"), [("unsent", ["web grows here."]), ("sent", [])])
def test_another_process_sends_what_one_claimed_and_was_killed_before_it_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: str, messages: list[str]
) -> None:
    clock = Clock()
    claims = AlertClaims(tmp_path / "alerted", monotonic=clock, wall=time.time)
    dispatcher = AlertDispatcher({}, clock=clock, claims=claims)
    command = [sys.executable, "-c", CLAIMING, str(tmp_path / "alerted"), state]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with running(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, **streams)) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"claimed"
        assert dispatcher.dispatch(alert("emergency", message="web grows here."), group="family") == ()
        assert dispatcher.wake() == []
        other.kill()
    clock.now_s += TAKE_OVER_INTERVAL_S

    assert [sent.message for sent in dispatcher.wake()] == messages
    assert [record.getMessage() for record in caplog.records] == [f"Memory emergency: {text}" for text in messages]
    assert json.loads(next(claims._folder.iterdir()).read_bytes())["is_sent"]


def test_a_level_that_is_off_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = AlertDispatcher({"alerts": {"levels": {"warning": {"enabled": False}}}})

    assert dispatcher.dispatch(alert("warning")) == ()
    assert dispatcher.dispatch(alert("critical")) == ("logging",)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("channels", [[], ["messaging"]])
def test_without_the_logging_channel_nothing_is_logged(channels: list[str], caplog: pytest.LogCaptureFixture) -> None:
    assert AlertDispatcher({"alerts": {"channels": channels}}).dispatch(alert()) == ()
    assert not caplog.records


def test_a_channel_that_no_one_knows_is_refused() -> None:
    with pytest.raises(
        PolicyError,
        match=r"^config: alerts\.channels\[0\]: needs one of logging, messaging, apprise, opentelemetry, prometheus, ",
    ):
        AlertDispatcher({"alerts": {"channels": ["pager"]}})


@pytest.mark.parametrize(
    ("current_mb", "level"),
    [(None, None), (79, None), (80, "warning"), (95, "critical"), (100, "critical"), (101, "emergency")],
)
def test_a_budget_check_calls_for_a_level(tmp_path: Any, current_mb: float | None, level: str | None) -> None:
    """80 and 95 percent of 100 MB; above the whole budget it is an emergency."""
    path = tmp_path / "policy.yaml"
    path.write_text("memory_budgets: {services: {web: 100MB}}", encoding="utf-8")

    assert find_level(check_budget(read_policy(path), "web", current_mb)) == level


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^Alert needs a level among warning, critical, emergency, but got 'loud'"
    ):
        Alert("loud", "web", "", 0.0)  # type: ignore[arg-type]
