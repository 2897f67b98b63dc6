"""The two managers of the contract, and its two usage examples as they stand."""

import json
import logging
import time
import tracemalloc

import pytest

from memanalysis.classes.persistent_ledger_manager import PersistentLedgerManager
from memanalysis.classes.policy_manager import MemoryPolicyManager
from memanalysis.errors import CaptureError, LedgerFormatError, PolicyError
from memanalysis.schema import MemorySnapshot

FIRST_EXAMPLE = """\
from memanalysis import MemoryPolicyManager

manager = MemoryPolicyManager("config/memory_policy.yaml")
manager.initialize()

snapshot = manager.get_snapshot()
print(f"Current memory: {snapshot.current_mb:.2f}MB")
print(f"Peak memory: {snapshot.peak_mb:.2f}MB")

check = manager.check_service("messaging", snapshot.current_mb)
print(f"Status: {check['status']}")

manager.shutdown()
"""

SECOND_EXAMPLE = """\
from memanalysis import ComprehensiveLeakDetector, MemoryPolicyManager, PersistentLedgerManager

manager = MemoryPolicyManager()
manager.initialize()
config = manager.loader.config

detector = ComprehensiveLeakDetector(config)
ledger_manager = PersistentLedgerManager(config)

for i in range(10):
    snapshot = manager.get_snapshot()
    detector.add_snapshot(snapshot)
    ledger_manager.record_snapshot("my_service", snapshot)

    if i >= 2:
        results = detector.run_full_detection()
        if results["leak_detection"]["detected"]:
            print(f"Leak detected: {results['leak_detection']['severity']}")

ledger_manager.save_ledger()

analysis = ledger_manager.get_service_analysis("my_service")
print(f"Average memory: {analysis['summary']['memory_stats']['avg_mb']:.2f}MB")
manager.shutdown()
"""

SMALL_POLICY = "memory_budgets: {services: {messaging: 100MB}}\nleak_detection: {enabled: false}\n"


@pytest.fixture
def policy_file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(SMALL_POLICY)
    return path


def snapshot(mb=10.0, *, timestamp=None, objects=5, collections=7):
    moment = time.time() if timestamp is None else timestamp
    return MemorySnapshot(moment, mb, mb + 1, objects, gc_collections=collections)


def test_the_first_usage_example_runs_as_it_stands(run_program):
    lines = run_program(FIRST_EXAMPLE).stdout.splitlines()

    assert [line.split(":")[0] for line in lines] == ["Current memory", "Peak memory", "Status"]
    assert lines[2] == "Status: ok"


@pytest.mark.slow
def test_the_second_usage_example_runs_as_it_stands(run_program, tmp_path):
    lines = run_program(SECOND_EXAMPLE).stdout.splitlines()

    assert lines[-1].startswith("Average memory: ")
    saved = json.loads((tmp_path / "logs" / "memory_ledger.json").read_text())
    assert [entry["service_name"] for entry in saved] == ["my_service"] * 10
    assert all(entry["memory_usage_mb"] > 0 and entry["object_count"] > 1000 for entry in saved)


def test_initialize_reads_the_policy_and_traces(policy_file):
    manager = MemoryPolicyManager(policy_file)

    assert manager.initialized is False
    assert manager.initialize() is True
    assert manager.initialized is True
    assert manager.initialize() is False
    assert tracemalloc.is_tracing()
    assert manager.loader.get_budget("messaging").max_memory_mb == 100
    assert manager.shutdown() is True
    assert manager.shutdown() is False
    assert not tracemalloc.is_tracing()


def test_as_a_context_manager_it_begins_and_ends(policy_file):
    with MemoryPolicyManager(policy_file) as manager:
        kept = bytearray(3 * 2**20)
        taken = manager.get_snapshot()

        assert taken.current_mb == pytest.approx(3, abs=0.5)
        assert manager.check_service("messaging", 120.0)["status"] == "critical"
        assert manager.enforcer.check_budget("messaging", 10)["within_budget"] is True
        assert len(kept) == 3 * 2**20

    assert not tracemalloc.is_tracing()


def test_a_missing_policy_file_gives_the_default_and_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING), MemoryPolicyManager() as manager:
        assert manager.loader.get_budget("vector_database").max_memory_mb == 200

    assert "config/memory_policy.yaml" in caplog.text


def test_a_broken_policy_file_is_an_error_and_nothing_is_started(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("memory_budget: {}\n")
    manager = MemoryPolicyManager(path)

    with pytest.raises(PolicyError, match=r"policy\.yaml:1: memory_budget"):
        manager.initialize()
    assert not manager.initialized
    assert not tracemalloc.is_tracing()


def test_a_snapshot_before_initialize_is_an_error(policy_file):
    with pytest.raises(CaptureError, match=r"Call initialize\(\) first"):
        MemoryPolicyManager(policy_file).get_snapshot()


def test_a_policy_that_turns_tracing_off_is_obeyed_and_snapshots_say_so(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("monitoring: {tracemalloc: {enabled: false}}\n")

    with MemoryPolicyManager(path) as manager:
        assert not tracemalloc.is_tracing()
        with pytest.raises(CaptureError, match=r"monitoring\.tracemalloc\.enabled: true"):
            manager.get_snapshot()


def test_the_trace_limit_is_the_policys(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("monitoring: {tracemalloc: {trace_limit: 4}}\nleak_detection: {enabled: false}\n")

    with MemoryPolicyManager(path):
        assert tracemalloc.get_traceback_limit() == 4


def test_snapshots_are_recorded_saved_and_loaded_again(tmp_path):
    config = {"ledger": {"storage_path": str(tmp_path / "deep" / "ledger.json")}}
    first = PersistentLedgerManager(config)
    for mb in (10.0, 20.0, 30.0):
        entry = first.record_snapshot("api", snapshot(mb))
    assert (entry.memory_usage_mb, entry.object_count, entry.gc_collections) == (30.0, 5, 7)
    assert first.save_ledger() is True

    second = PersistentLedgerManager(config)
    analysis = second.get_service_analysis("api")

    assert analysis["summary"]["entry_count"] == 3
    assert analysis["summary"]["memory_stats"]["avg_mb"] == pytest.approx(20.0)
    assert analysis["growth_analysis"]["total_growth_mb"] == pytest.approx(20.0)


def test_a_relative_path_is_seen_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manager = PersistentLedgerManager({})
    manager.record_snapshot("api", snapshot())
    manager.save_ledger()

    assert (tmp_path / "logs" / "memory_ledger.json").is_file()


def test_fields_that_the_policy_leaves_out_are_null(tmp_path):
    path = tmp_path / "ledger.json"
    metrics = ["timestamp", "service_name", "object_count"]
    manager = PersistentLedgerManager({"ledger": {"storage_path": str(path), "metrics": metrics}})
    manager.record_snapshot("api", snapshot(timestamp=1_700_000_000.0))
    manager.ledger.save()

    assert json.loads(path.read_text()) == [
        {
            "timestamp": 1_700_000_000.0,
            "service_name": "api",
            "memory_usage_mb": None,
            "object_count": 5,
            "allocation_count": None,
            "deallocation_count": None,
            "gc_collections": None,
        }
    ]


def test_retention_is_applied_when_saving(tmp_path):
    path = tmp_path / "ledger.json"
    retention = {"max_entries": 3, "max_age_days": 1}
    manager = PersistentLedgerManager({"ledger": {"storage_path": str(path), "retention": retention}})
    now = time.time()
    manager.record_snapshot("api", snapshot(1.0, timestamp=now - 3 * 86400))
    manager.record_snapshot("api", snapshot(2.0, timestamp=now - 60))
    assert manager.save_ledger() is True
    assert [entry["memory_usage_mb"] for entry in json.loads(path.read_text())] == [2.0]

    for number in range(5):
        manager.record_snapshot("api", snapshot(float(10 + number), timestamp=now))
    manager.save_ledger()
    assert [entry["memory_usage_mb"] for entry in json.loads(path.read_text())] == [12.0, 13.0, 14.0]


def test_a_ledger_turned_off_records_and_writes_nothing_and_says_so(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text("this is not even a ledger")
    manager = PersistentLedgerManager({"ledger": {"storage_path": str(path), "enabled": False}})

    assert manager.record_snapshot("api", snapshot()) is None
    assert manager.save_ledger() is False
    assert manager.get_service_analysis("api")["summary"]["entry_count"] == 0
    assert path.read_text() == "this is not even a ledger"


def test_a_file_that_is_no_ledger_is_an_error_and_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text('{"not": "a ledger"}')

    with pytest.raises(LedgerFormatError, match=r"ledger\.json"):
        PersistentLedgerManager({"ledger": {"storage_path": str(path)}})
    assert path.read_text() == '{"not": "a ledger"}'


def test_a_mapping_that_is_no_policy_is_an_error():
    with pytest.raises(PolicyError, match="storage_path"):
        PersistentLedgerManager({"ledger": {"storage": "x.json"}})
