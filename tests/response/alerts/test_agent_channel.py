"""Alerts reach a real agent of a2a-sdk on loopback, once it is there."""

import json
import time
from pathlib import Path

import pytest
from alert_servers import DEADLINE_S, Received, find_free_port, serve_agent

from memanalysis.policy.model import parse_policy
from memanalysis.response.alerts.agent_channel import AgentRefusedError, send_to_agent
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.inbox import read_inbox
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.alerts.senders import make_senders

ALERT = Alert("critical", "api", "api uses 97 MB of 100 MB.", 1e9, current_bytes=97 * 2**20, responsible="api.py:12")


@pytest.mark.slow
def test_an_agent_gets_the_alert_as_text_and_as_data() -> None:
    received = Received()
    with serve_agent(find_free_port(), received) as address:
        for _ in range(2):
            send_to_agent(address, ALERT, sender="memanalysis")

    first, again = (json.loads(body) for _, body in received.bodies)
    text, data = first["parts"]

    assert first["role"] == "ROLE_USER"
    assert first["messageId"] == again["messageId"]
    assert (text["mediaType"], text["text"].splitlines()[0]) == ("text/markdown", "# Memory critical: api")
    assert data["mediaType"] == "application/json"
    assert {name: data["data"][name] for name in ("sender", "level", "service", "cue_id", "responsible")} == {
        "sender": "memanalysis",
        "level": "critical",
        "service": "api",
        "cue_id": ALERT.cue_id,
        "responsible": "api.py:12",
    }
    assert data["data"]["current_bytes"] == 97 * 2**20
    assert "held_by" not in data["data"]


def test_an_agent_that_rejects_the_message_did_not_get_it() -> None:
    with (
        serve_agent(find_free_port(), Received(), rejects=True) as address,
        pytest.raises(AgentRefusedError, match="did not take the alert: TASK_STATE_REJECTED"),
    ):
        send_to_agent(address, ALERT, sender="memanalysis")


@pytest.mark.slow
def test_an_agent_that_works_longer_than_an_answer_may_take_gets_one_message() -> None:
    received = Received()
    with serve_agent(find_free_port(), received, works_s=8) as address:
        outbox = Outbox(first_backoff_s=0.01, max_backoff_s=0.02)
        outbox.begin({"messaging": lambda alert, _: send_to_agent(address, alert, sender="memanalysis")})
        outbox.put("messaging", "Agent-5", ALERT)
        deadline = time.monotonic() + DEADLINE_S
        while outbox.waiting:
            assert time.monotonic() < deadline
            outbox.wake()
            time.sleep(0.02)
        assert outbox.end() == []

    assert len(received.bodies) == 1


def test_recipients_have_agent_cards_or_inboxes_and_a_card_that_is_down_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, received = find_free_port(), Received()
    monkeypatch.setenv("AGENT_PORT", str(port))
    cards = ["Agent-5=http://127.0.0.1:$AGENT_PORT"]
    policy = parse_policy(
        {
            "alerts": {
                "channels": ["messaging"],
                "messaging": {"inbox_root": str(tmp_path / "agents"), "agent_cards": cards},
            }
        }
    )
    senders, problems = make_senders(policy, sender="memanalysis", ledger_folder=None)
    outbox = Outbox(folder=tmp_path / "undelivered", first_backoff_s=0.05, max_backoff_s=0.2)
    outbox.begin(senders)
    assert problems == []

    assert AlertDispatcher(policy, outbox=outbox).dispatch(ALERT) == ("messaging",)
    deadline = time.monotonic() + DEADLINE_S
    while len(outbox.waiting) > 1 or not read_inbox(tmp_path / "agents", "Agent-4"):
        assert time.monotonic() < deadline
        outbox.wake()
        time.sleep(0.02)
    with serve_agent(port, received):
        while outbox.waiting:
            assert time.monotonic() < deadline
            outbox.wake()
            time.sleep(0.02)

    assert outbox.end() == []
    assert len(received.bodies) == 1
    assert read_inbox(tmp_path / "agents", "Agent-5") == []
    assert not (tmp_path / "agents" / "Agent-8").exists()


def test_a_recipient_with_neither_a_card_nor_an_inbox_did_not_get_the_alert() -> None:
    """Agent-5 has a card; of Agent-4 the ledger would have the inbox, and there is none."""
    messaging = {"agent_cards": [f"Agent-5=http://127.0.0.1:{find_free_port()}"]}
    policy = parse_policy({"alerts": {"channels": ["messaging"], "messaging": messaging}})
    senders, _ = make_senders(policy, sender="memanalysis", ledger_folder=None)
    events: list[tuple[str, str]] = []
    outbox = Outbox()
    outbox.begin(senders, lambda kind, *, message, **_: events.append((kind, message)))
    outbox.put("messaging", "Agent-4", ALERT)

    assert outbox.end(timeout_s=DEADLINE_S) == [ALERT]
    assert events == [
        (
            "undelivered",
            "The alert did not reach Agent-4 by messaging: InvalidArgumentError: Agent-4 needs an agent card or an "
            "inbox, but alerts.messaging.agent_cards has none for it, and without a ledger there is no inbox. "
            "Write a folder as alerts.messaging.inbox_root, or record a ledger, and is in the log alone.",
        )
    ]
