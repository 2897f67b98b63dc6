"""What a watched run reports in its alerts, and that they arrive: from real runs, with a real server that is down."""

import json

import pytest
from alert_servers import Received, find_free_port, serve_http

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.response.alerts.inbox import read_inbox
from memanalysis.units import MIB
from memanalysis.watcher.run_alerts import RunAlerts
from memanalysis.watcher.watch import watch


class Rows:
    def __init__(self):
        self.rows = []

    def record(self, kind, *, level=None, message=None, data=None):
        self.rows.append((kind, level, message, data))

    def data(self):
        return [data for kind, _, _, data in self.rows if kind == "alert"]


@pytest.fixture
def run(hand_clock):
    alerts = RunAlerts("api", parse_policy({"memory_budgets": {"services": {"api": "100MB"}}}), clock=hand_clock)
    alerts.begin(Rows().record)
    return alerts


def test_an_alert_has_the_cause_that_the_run_has_found(run):
    rows = Rows()
    run.on_sample(97 * MIB, rows.record)
    run.on_event("suspect", "api.py:12 in serve holds 29 MiB more.", {"site_id": "1", "place": "api.py:12 in serve"})
    run.on_event("holders", "dict is what grows.", [{"chain": "api.SESSIONS (dict)", "share": 0.9}])
    run.on_event("cleanup", "Freed 1.0 MiB of resident memory. Emptied 1 cache.", {"cache_flush": {}})
    run.send("critical", "api uses 97 MB of 100 MB.", rows.record)

    (data,) = rows.data()
    assert (data["current_bytes"], data["budget_bytes"]) == (97 * MIB, 100 * MIB)
    assert (data["responsible"], data["held_by"]) == ("api.py:12 in serve", "api.SESSIONS (dict)")
    assert data["done"] == "Freed 1.0 MiB of resident memory. Emptied 1 cache."
    assert data["to_do"].startswith("Release what api.py:12 in serve allocates, restart the service, or raise ")
    assert data["channels"] == ["logging"]


def test_what_is_not_known_is_none_and_the_advice_is_to_find_it(run):
    rows = Rows()
    run.send("warning", "api grows.", rows.record)

    (data,) = rows.data()
    assert [data[name] for name in ("current_bytes", "responsible", "held_by", "done", "time_left_s")] == [None] * 5
    assert data["to_do"].startswith("Find the line that holds memory with memanalysis assess")


def test_a_leak_within_the_cooldown_of_a_budget_alert_goes_out_at_its_end(run, hand_clock, caplog):
    rows = Rows()
    run.send("warning", "the budget", rows.record)
    run.send("warning", "the budget again", rows.record)
    run.send("warning", "the leak", rows.record, is_leak=True)
    before = [record.getMessage() for record in caplog.records]
    hand_clock.go(300)
    run.on_sample(MIB, rows.record)

    assert before == ["Memory warning: the budget"]
    assert [record.getMessage() for record in caplog.records] == [*before, "Memory warning: the leak"]
    assert len(rows.data()) == 2


@pytest.mark.slow
def test_a_run_writes_each_recipient_of_a_level_into_its_inbox_and_nothing_into_its_working_folder(
    tmp_path, monkeypatch
):
    """A policy without a section ``alerts`` has inboxes in the ledger."""
    monkeypatch.chdir(tmp_path)
    policy = {"memory_budgets": {"services": {"api": "1MB"}}, "leak_detection": {"enabled": False}}
    with watch("api", ledger="ledger", policy=policy, interval=60, trace="off", seal=False):
        pass

    for agent in ("Agent-4", "Agent-5", "Agent-8"):
        inboxes = tmp_path / "ledger" / "agent_workspaces"
        alerts = {message.alert.level: message.alert for message in read_inbox(inboxes, agent)}
        assert set(alerts) == ({"warning", "emergency"} if agent == "Agent-5" else {"emergency"})
        alert = alerts["emergency"]
        assert (alert.service, alert.budget_bytes) == ("api", MIB)
        assert alert.current_bytes > MIB
    assert not any((tmp_path / "ledger" / "undelivered").iterdir())
    assert [each.name for each in tmp_path.iterdir()] == ["ledger"]
    assert open_ledger(tmp_path / "ledger").services == ["api"]


@pytest.mark.parametrize("channels", [["logging", "messaging"], ["messaging"]])
def test_without_a_ledger_no_inbox_is_made_and_where_no_alert_goes_out_that_is_logged(
    channels, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    policy = {
        "memory_budgets": {"services": {"api": "1MB"}},
        "leak_detection": {"enabled": False},
        "alerts": {"channels": channels},
        "ledger": {"enabled": False},
    }
    with watch("api", policy=policy, interval=60, trace="off"):
        pass

    assert not any(tmp_path.iterdir())
    assert any("alerts.messaging.inbox_root" in text for text in caplog.messages) == ("logging" not in channels)
    assert any("above its whole budget" in text for text in caplog.messages) == ("logging" in channels)


@pytest.mark.slow
def test_an_alert_that_a_dead_server_did_not_take_is_in_the_events_and_goes_out_at_the_next_start(tmp_path):
    port, received = find_free_port(), Received()
    policy = {
        "memory_budgets": {"services": {"api": "1MB"}},
        "leak_detection": {"enabled": False},
        "alerts": {
            "channels": ["apprise"],
            "apprise": {"urls": [f"json://127.0.0.1:{port}/hook"]},
        },
    }

    with watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off", seal=False):
        pass
    events = open_ledger(tmp_path / "ledger").events
    undelivered = events[events["kind"] == "undelivered"]

    with serve_http(port, received), watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off"):
        received.wait_for(4)
    events = open_ledger(tmp_path / "ledger").events
    kinds = events["kind"].tolist()
    texts = events.loc[events["kind"] == "alert", "message"].tolist()
    messages = [body["message"] for body in received.texts()]

    assert sorted(undelivered["level"]) == ["emergency", "warning"]
    assert [sum(text in message for message in messages) for text in texts] == [texts.count(text) for text in texts]
    assert len(messages) == 4
    assert kinds.count("undelivered") == 2
    assert kinds.count("delivered") == 2
    assert kinds.count("alert") == 4


@pytest.mark.slow
def test_a_killed_process_repeats_at_its_next_start_what_was_not_delivered(tmp_path, run_program):
    """Its inboxes cannot be written, because a file is where their folder belongs."""
    (tmp_path / "agents").write_bytes(b"")
    program = (
        "import os, time\n"
        "from pathlib import Path\n"
        "from memanalysis import watch\n"
        "policy = {'memory_budgets': {'services': {'api': '1MB'}}, 'leak_detection': {'enabled': False},\n"
        "  'alerts': {'channels': ['messaging'], 'recipients': {'warning': ['Agent-8'], 'emergency': ['Agent-8']},\n"
        "    'messaging': {'inbox_root': 'agents'}}}\n"
        "recorder = watch('api', ledger='ledger', policy=policy, interval=60, trace='off')\n"
        "recorder.start()\n"
        "while len(list(Path('ledger').glob('undelivered/*.json'))) < 2: time.sleep(0.02)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert run_program(program, check=False).returncode == -9
    waiting = [json.loads(each.read_bytes()) for each in (tmp_path / "ledger" / "undelivered").glob("*.json")]
    cue_ids = [each["alert"]["cue_id"] for each in waiting]
    (tmp_path / "agents").unlink()
    policy = {
        "memory_budgets": {"services": {"api": "100GB"}},  # this process is the one that runs the tests
        "alerts": {"channels": ["messaging"], "messaging": {"inbox_root": str(tmp_path / "agents")}},
    }

    with watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off", seal=False):
        pass
    messages = read_inbox(tmp_path / "agents", "Agent-8")
    events = open_ledger(tmp_path / "ledger").events
    delivered = events[events["kind"] == "delivered"]["data"]

    assert sorted(each["alert"]["level"] for each in waiting) == ["emergency", "warning"]
    assert sorted(message.cue_id for message in messages) == sorted(cue_ids)
    assert all(any(cue_id in str(data) for data in delivered) for cue_id in cue_ids)
    assert list((tmp_path / "ledger" / "undelivered").iterdir()) == []


def test_a_missing_extra_is_named_and_the_other_channels_act(tmp_path, monkeypatch, caplog):
    import builtins

    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == "apprise":
            raise ImportError(name)
        return real(name, *arguments, **options)

    from memanalysis.response.alerts.apprise_channel import load_apprise

    load_apprise.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    policy = {"alerts": {"channels": ["logging", "apprise"], "apprise": {"urls": ["json://localhost"]}}}
    with watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off", seal=False):
        pass
    monkeypatch.undo()

    events = open_ledger(tmp_path / "ledger").events
    (error,) = events[events["kind"] == "error"]["message"]
    assert "pip install 'memanalysis[apprise]'" in error
