"""The policy in the loop: budgets on each tick, alerts, cleanup, leaks; time moved by hand."""

import gc
import logging
import sys
import tracemalloc

import pytest

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.response.restart import Restart
from memanalysis.units import MIB
from memanalysis.verdicts.engine_loading import ENGINE, load_engine
from memanalysis.watcher.live_verdict import make_live_run
from memanalysis.watcher.policy_runtime import NOT_CHECKED_HERE, TRACED_BEFORE, PolicyRuntime
from memanalysis.watcher.restart_step import RestartStep
from memanalysis.watcher.watch import watch

BUDGET = {"memory_budgets": {"services": {"api": {"max_memory_mb": 100}}}}  # warning from 80, critical from 95
NO_LEAKS = {"leak_detection": {"enabled": False}}


class Watched:
    """A run under a policy and the events it writes."""

    def __init__(self, clock, policy, **arguments):
        self.events = []
        self.clock = clock
        rules = parse_policy({**BUDGET, **policy})
        self.runtime = PolicyRuntime("api", rules, clock=clock, **arguments)
        self.live = make_live_run("api", rules)
        self.runtime.begin(self.record, self.live)

    def record(self, kind, *, level=None, message=None, data=None):
        """Write an event and show it to the alerts, as a run does."""
        self.events.append((kind, level, message, data))
        self.runtime.alerts.on_event(kind, message, data)

    def sample(self, mb, *, traced_mb=None):
        rss, traced = (None if size is None else int(size * MIB) for size in (mb, traced_mb))
        sample = {"rss_bytes": rss, "traced_bytes": traced, "limit_bytes": None}
        sample["elapsed_s"] = self.clock.monotonic()
        self.live.add(sample)
        self.runtime.on_sample(sample, self.record)

    def kinds(self):
        return [(kind, level) for kind, level, _, _ in self.events]


@pytest.fixture
def watched(hand_clock):
    def make(policy, **arguments):
        return Watched(hand_clock, {**NO_LEAKS, **policy}, **arguments)

    return make


def test_a_level_is_an_event_when_it_changes_and_only_then(watched, hand_clock):
    found = watched({"enforcement": {"hard_limits": {"enabled": False}, "soft_limits": {"enabled": False}}})
    for mb in (50, 81, 82, 96, 101, 102, 60, 61):
        found.sample(mb)
        hand_clock.go(60)

    assert found.kinds() == [
        ("breach", "warning"),
        ("breach", "critical"),
        ("breach", "emergency"),
        ("breach", "ok"),
    ]
    assert found.events[0][3]["current_mb"] == 81


def test_resident_memory_counts_and_traced_bytes_where_it_is_unknown(watched):
    found = watched({})
    found.sample(50, traced_mb=99)
    assert found.kinds() == []

    found.sample(None, traced_mb=99)
    assert ("breach", "critical") in found.kinds()


def test_an_unknown_reading_changes_nothing(watched):
    found = watched({})
    found.sample(99)
    before = list(found.events)
    found.sample(None)

    assert found.events == before


def test_a_level_alerts_into_the_log_when_it_is_reached_and_not_again_while_it_lasts(watched, hand_clock, caplog):
    found = watched({"enforcement": {"grace_period_seconds": 5}})
    with caplog.at_level(logging.WARNING, logger="memanalysis.alerts"):
        for _ in range(10):
            found.sample(85)
            hand_clock.go(600)

    assert found.kinds() == [("breach", "warning"), ("alert", "warning")]
    assert [record.getMessage() for record in caplog.records] == [
        "Memory warning: api uses 85.0 MB of 100 MB and has reached its warning threshold of 80.0 MB."
    ]


def test_a_level_that_is_reached_again_keeps_the_cooldown(watched, hand_clock):
    """Every 100 s the level is left and reached again; an alert of it may go out every 300 s."""
    found = watched({"enforcement": {"grace_period_seconds": 10}})
    for _ in range(10):
        found.sample(85)
        for mb in (50, 50, 50):
            hand_clock.go(25)
            found.sample(mb)
        hand_clock.go(25)

    assert [kind for kind in found.kinds() if kind == ("breach", "warning")] == [("breach", "warning")] * 10
    assert [kind for kind in found.kinds() if kind[0] == "alert"] == [("alert", "warning")] * 4


def test_a_level_that_is_turned_off_alerts_nobody(watched, caplog):
    found = watched({"alerts": {"levels": {"warning": {"enabled": False}}}})
    found.sample(85)

    assert found.kinds() == [("breach", "warning")]
    assert caplog.records == []


@pytest.mark.slow
def test_memory_is_freed_once_the_grace_period_is_over_and_not_on_every_tick(watched, hand_clock):
    found = watched({"enforcement": {"hard_limits": {"action": "alert_and_cleanup"}, "grace_period_seconds": 30}})
    freed = []
    found.runtime.cleanup.register_resource("pool", lambda: freed.append(hand_clock.monotonic()))
    started = hand_clock.monotonic()
    for _ in range(100):
        found.sample(96)
        hand_clock.go(1)

    assert freed[0] - started == 30
    assert len(freed) <= 2
    cleanup = next(event for event in found.events if event[0] == "cleanup")
    assert set(cleanup[3]) == {"garbage_collection", "resource_cleanup", "cache_flush"}
    assert cleanup[3]["resource_cleanup"]["steps"][0]["name"] == "pool"


def test_a_cleanup_that_frees_next_to_nothing_is_repeated_less_and_less(watched, hand_clock):
    """Once a minute would be 240 times in four hours."""
    detection = {"enabled": False, "auto_cleanup": {"methods": ["resource_cleanup"]}}
    found = watched({"enforcement": {"grace_period_seconds": 0}, "leak_detection": detection})
    for _ in range(240):
        found.sample(96)
        hand_clock.go(60)

    assert 2 <= [kind for kind, _ in found.kinds()].count("cleanup") <= 20


class RestartsOnPaper(Restart):
    """Asks nobody to leave."""

    def request(self, end):
        self.is_requested = True


RESTARTS = {"enforcement": {"hard_limits": {"action": "alert_and_restart"}, "grace_period_seconds": 2}}


def test_a_restart_comes_once_after_the_grace_period_with_its_evidence(watched, hand_clock):
    load_engine()
    restart = RestartsOnPaper()
    found = watched({**RESTARTS, "leak_detection": {"enabled": True}}, restart=RestartStep(restart, end_recording=list))
    found.runtime.begin(found.record, found.live, keep_evidence=lambda: found.record("evidence"))
    for _ in range(10):
        found.sample(96)
        hand_clock.go(1)

    assert restart.is_requested
    assert found.kinds() == [
        ("breach", "critical"),
        ("alert", "warning"),
        ("evidence", None),
        ("alert", "critical"),
        ("restart", "critical"),
    ]
    message, data = found.events[-1][2:]
    assert message.startswith(
        "api uses 96.0 MB of 100 MB and has reached its critical threshold of 95.0 MB. It is rest"
    )
    assert (data["exit_code"], data["check"]["current_mb"]) == (75, 96)
    assert data["verdict"]["is_leak"] is False
    assert found.events[3][2].endswith("It is restarted.")


def test_evidence_that_cannot_be_kept_stops_no_restart(watched, hand_clock, caplog):
    restart = RestartsOnPaper()
    found = watched(RESTARTS, restart=RestartStep(restart, end_recording=list))
    found.runtime.begin(found.record, found.live, keep_evidence=lambda: 1 / 0)
    for _ in range(4):
        found.sample(96)
        hand_clock.go(1)

    assert restart.is_requested
    assert "Not all evidence could be kept" in caplog.text


def test_what_cannot_be_restarted_is_recorded_once(watched, hand_clock, monkeypatch):
    """A child of the program that ``memanalysis run`` started has no handler of its own."""
    monkeypatch.setenv("MEMANALYSIS_RUN", "1 1.0 {}")
    restart = RestartsOnPaper()
    found = watched(RESTARTS, restart=RestartStep(restart, end_recording=list))
    for _ in range(10):
        found.sample(96)
        hand_clock.go(1)

    assert not restart.is_requested
    assert [kind for kind in found.kinds() if kind[0] == "restart"] == [("restart", "warning")]
    decides = "The program that was started decides whether all of it is restarted."
    assert found.events[-1][2].endswith(decides)
    assert next(event[2] for event in found.events if event[:2] == ("alert", "critical")).endswith(decides)


def test_an_alert_reports_what_was_done_and_the_line_that_grew(watched):
    """Memory is freed first. No event has named a line, so the one that grew most by now is asked for."""
    detection = {"enabled": False, "auto_cleanup": {"methods": ["resource_cleanup"]}}
    found = watched({"enforcement": {"grace_period_seconds": 0}, "leak_detection": detection})
    found.runtime.cleanup.register_resource("pool", list)
    found.runtime.begin(found.record, found.live, find_line=lambda: "app.py:13")
    found.sample(96)

    cleanup, alert = (next(event for event in found.events if event[0] == kind) for kind in ("cleanup", "alert"))
    assert found.events.index(cleanup) < found.events.index(alert)
    assert alert[3]["done"] == cleanup[2]
    assert alert[3]["responsible"] == "app.py:13"
    assert alert[3]["to_do"].startswith("Release what app.py:13 allocates")


def test_a_line_that_an_event_named_counts_before_the_one_that_grew_most(watched):
    found = watched({})
    found.runtime.begin(found.record, found.live, find_line=lambda: "app.py:13")
    found.runtime.alerts.on_event("suspect", None, {"place": "app.py:2 in main"})
    found.sample(96)

    assert next(event for event in found.events if event[0] == "alert")[3]["responsible"] == "app.py:2 in main"


def grow(found, clock, *, mb_per_step, steps, step_s=60):
    for step in range(steps):
        found.sample(20 + mb_per_step * step)
        clock.go(step_s)


LEAKS = {
    "leak_detection": {
        "check_interval_seconds": 300,
        "thresholds": {"memory_growth_mb": 5},
        "auto_cleanup": {"threshold_mb": 15},
    }
}


@pytest.mark.slow
def test_a_leak_is_found_at_the_check_interval_alerted_and_cleaned_up(hand_clock, caplog):
    """1 MB a minute of a budget of 200 MB: after half of the time that is left the leak is confirmed, and alerted."""
    load_engine()
    found = Watched(hand_clock, LEAKS | {"memory_budgets": {"services": {"api": "200MB"}}})
    freed = []
    found.runtime.cleanup.register_resource("pool", lambda: freed.append(1))
    grow(found, hand_clock, mb_per_step=1, steps=110)

    leaks = [event for event in found.events if event[0] == "leak"]
    assert leaks[0][1] in ("medium", "high", "critical")
    assert leaks[0][3]["growth_bytes"] >= 5 * MIB
    assert ("alert", "critical") in found.kinds() or ("alert", "warning") in found.kinds()
    assert freed
    assert "cleanup" in [kind for kind, _ in found.kinds()]


def test_a_leak_that_leaves_no_time_is_alerted_at_the_first_check(hand_clock):
    """6 MB a minute from 20 MB reach 100 MB after 13 minutes; at the first check, after five, half of it is near."""
    load_engine()
    found = Watched(hand_clock, LEAKS)
    grow(found, hand_clock, mb_per_step=1, steps=40, step_s=10)

    assert [kind for kind, _ in found.kinds() if kind in ("leak", "alert")][:2] == ["leak", "alert"]


def test_a_leak_that_is_gone_at_the_next_check_alerts_nobody(hand_clock):
    """A tooth of 20 minutes looks like a leak while it rises; its event reports one, and a later one takes it back."""
    load_engine()
    found = Watched(hand_clock, LEAKS | {"memory_budgets": {"services": {"api": "1000MB"}}})
    for third in range(360):
        found.sample(50 + 2 * (third / 3 % 20))
        hand_clock.go(20)

    kinds = found.kinds()
    assert [kind for kind, _ in kinds if kind == "alert"] == []
    assert [level for kind, level in kinds if kind == "leak"][-1] == "none"


def test_a_steady_process_is_no_leak(hand_clock):
    load_engine()
    found = Watched(hand_clock, LEAKS)
    grow(found, hand_clock, mb_per_step=0, steps=21)

    assert found.events == []


@pytest.mark.parametrize("arguments", [{}, {"check_leaks": False}])
def test_no_leak_is_looked_for_when_that_is_turned_off(hand_clock, arguments):
    load_engine()
    policy = LEAKS if arguments else NO_LEAKS
    found = Watched(hand_clock, policy, **arguments)
    grow(found, hand_clock, mb_per_step=2, steps=21)

    of_this_run = [("policy", "info", NOT_CHECKED_HERE, None)]
    assert found.events == (of_this_run if arguments else [])  # once, and not where the policy wants no leaks


def test_under_tracing_the_engine_is_not_loaded_and_that_is_said(hand_clock, monkeypatch):
    """Importing numpy under tracemalloc takes long: better no judgement than a stopped program."""
    monkeypatch.delitem(sys.modules, ENGINE, raising=False)
    tracemalloc.start(1)
    found = Watched(hand_clock, LEAKS)
    tracemalloc.stop()

    assert found.events == [("error", "warning", TRACED_BEFORE, None)]


@pytest.mark.slow
def test_a_policy_file_acts_in_a_real_recorder(tmp_path, wait_until, caplog):
    """A budget of 1 MB is far exceeded by this process: the events are in the ledger, and the hook was run."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "memory_budgets: {services: {api: 1MB}}\n"
        "leak_detection: {enabled: false}\n"
        "enforcement: {grace_period_seconds: 0}\n"
        "alerts: {channels: [logging]}\n"
        "monitoring: {snapshots: {interval_seconds: 0.05, retention_count: 2}, tracemalloc: {trace_limit: 2}}\n"
    )
    recorder = watch(
        "api", ledger=tmp_path / "ledger", policy=policy, interval=0.02, top_types=0, seal=False, trace="full"
    )
    freed = []
    recorder.cleanup.register_resource("pool", lambda: freed.append(gc.isenabled()))
    with recorder:
        assert tracemalloc.get_traceback_limit() == 2
        wait_until(lambda: len(freed) > 0 and recorder.status().snapshots > 2)
        assert len(recorder.snapshots) == 2

    ledger = open_ledger(tmp_path / "ledger")
    assert {"breach", "alert", "cleanup"} <= set(ledger.events["kind"])
    assert ledger.events.query("kind == 'breach'")["level"].tolist() == ["emergency"]
    assert ledger.runs["policy_sha256"].str.len().tolist() == [64]
    assert recorder.status().errors == 0


def test_metrics_that_the_policy_leaves_out_are_unknown_in_the_ledger(tmp_path):
    policy = parse_policy({**NO_LEAKS, "monitoring": {"metrics": ["memory_usage"], "tracemalloc": {"enabled": False}}})
    recorder = watch("api", ledger=tmp_path / "ledger", policy=policy, seal=False)
    with recorder:
        pass

    samples = open_ledger(tmp_path / "ledger").samples
    assert samples["rss_bytes"].notna().all()
    assert samples[["object_count", "live_allocations", "gc_collections", "gc_collected"]].isna().all(axis=None)
    assert open_ledger(tmp_path / "ledger").objects.empty


def test_a_ledger_turned_off_is_not_written_and_the_budget_is_still_held(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    policy = {**NO_LEAKS, "ledger": {"enabled": False}, "memory_budgets": {"services": {"api": "1MB"}}}
    policy["alerts"] = {"channels": ["logging"]}
    with watch("api", policy=parse_policy(policy), trace="off", top_types=0) as recorder:
        assert recorder.status().ledger is None

    assert list(tmp_path.iterdir()) == []
    assert "Memory emergency: api uses" in caplog.text
