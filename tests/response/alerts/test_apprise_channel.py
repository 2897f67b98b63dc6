"""Alerts reach a real HTTP server by Apprise, also one that is down for a while."""

import logging
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from alert_servers import DEADLINE_S, Received, find_free_port, serve_http

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.model import parse_policy
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.apprise_channel import ServiceRefusedError, label_address, send_by_apprise
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.alerts.senders import make_senders


def make_alert(number: int = 0) -> Alert:
    return Alert("critical", "api", f"alert {number}", 1e9 + number, fingerprint=str(number), responsible="api.py:12")


@pytest.mark.slow
def test_a_service_gets_title_text_and_kind() -> None:
    port, received = find_free_port(), Received()
    with serve_http(port, received):
        send_by_apprise(make_alert(), f"json://127.0.0.1:{port}/hook")

    ((path, _),) = received.bodies
    (body,) = received.texts()

    assert path == "/hook"
    assert (body["title"], body["type"]) == ("Memory critical: api", "failure")
    assert body["message"].startswith("alert 0\n\nService: api\nLevel: critical\n")
    assert "Responsible line: api.py:12" in body["message"]


@pytest.mark.parametrize("status", [500, None])
def test_a_service_that_refuses_or_is_not_there_did_not_get_it(status: int | None) -> None:
    port = find_free_port()
    url = f"json://user:hunter2@127.0.0.1:{port}"
    server = nullcontext() if status is None else serve_http(port, Received(), status=status)
    with server, pytest.raises(ServiceRefusedError) as refused:
        send_by_apprise(make_alert(), url)

    assert str(refused.value) == "The service at json:// did not take the alert. Read the log of apprise."


def test_an_address_that_apprise_does_not_know_is_named_without_its_secrets() -> None:
    with pytest.raises(InvalidArgumentError, match=r"got one of nonsense://\. ") as refused:
        send_by_apprise(make_alert(), "nonsense://user:hunter2@host")

    assert "hunter2" not in str(refused.value)


def test_killing_the_server_for_a_while_loses_no_alert_and_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port, received, rows = find_free_port(), Received(), []
    url = f"json://user:hunter2@127.0.0.1:{port}/hook"
    policy = parse_policy(
        {
            "alerts": {
                "channels": ["apprise"],
                "apprise": {"urls": [url]},
                "levels": {"critical": {"cooldown_seconds": 0}},
            }
        }
    )
    senders, problems = make_senders(policy, sender="memanalysis", ledger_folder=None)
    outbox = Outbox(folder=tmp_path / "undelivered", first_backoff_s=0.05, max_backoff_s=0.2)
    outbox.begin(senders, lambda kind, **fields: rows.append((kind, fields)))
    dispatcher = AlertDispatcher(policy, outbox=outbox)
    deadline = time.monotonic() + DEADLINE_S
    assert problems == []

    def wait_until_sent() -> None:
        while outbox.waiting:
            assert time.monotonic() < deadline
            dispatcher.wake()
            time.sleep(0.02)

    with caplog.at_level(logging.WARNING):
        with serve_http(port, received):
            for number in range(3):
                assert dispatcher.dispatch(make_alert(number)) == ("apprise",)
            wait_until_sent()
        for number in range(3, 6):
            dispatcher.dispatch(make_alert(number))
        while not any("could not be sent" in record.getMessage() for record in caplog.records):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with serve_http(port, received):
            wait_until_sent()
        dispatcher.end()

    sent = sorted(body["message"].partition("\n")[0] for body in received.texts())
    shown = [record.getMessage() for record in caplog.records if record.name.startswith("memanalysis")]
    assert sent == [f"alert {number}" for number in range(6)]
    assert {fields["data"]["recipient"] for _, fields in rows} == {label_address(url)}
    assert "hunter2" not in "".join(shown) + str(rows)
    assert list((tmp_path / "undelivered").iterdir()) == []


def test_a_variable_of_the_environment_stands_for_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    port, received = find_free_port(), Received()
    monkeypatch.setenv("ALERT_HOST", f"127.0.0.1:{port}")
    with serve_http(port, received):
        send_by_apprise(make_alert(), "json://$ALERT_HOST/hook")

    assert len(received.bodies) == 1
