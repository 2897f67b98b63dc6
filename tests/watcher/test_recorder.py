"""A real recorder in this very process, with its thread, tracemalloc and a ledger on the disk."""

import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from memanalysis.capture.objects import count_objects
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher import object_growth
from memanalysis.watcher.recorder import Recorder

pytestmark = pytest.mark.slow

THIS_FILE = Path(__file__)


def line_of(text):
    return next(number for number, line in enumerate(THIS_FILE.read_text().splitlines(), 1) if text in line)


def test_samples_come_in_order_from_the_first_tick_to_the_last(record, ledger, wait_until):
    recorder = record()
    assert recorder.start() is True
    wait_until(lambda: recorder.status().ticks >= 10)
    assert recorder.stop() is True

    samples = ledger().samples
    assert samples["seq"].tolist() == list(range(len(samples)))
    assert len(samples) >= 11
    assert samples["elapsed_s"].is_monotonic_increasing
    assert samples["rss_bytes"].gt(0).all()
    assert samples["traced_bytes"].notna().all()
    assert ledger().events["kind"].tolist() == ["start", "stop"]


def test_start_and_stop_say_whether_they_did_it(record):
    recorder = record()

    assert recorder.stop() is False
    assert recorder.start() is True
    assert recorder.start() is False
    assert recorder.stop() is True
    assert recorder.stop() is False


def test_the_run_row_ends_when_the_recorder_stops(record, ledger):
    with record():
        during = ledger().runs
    after = ledger().runs

    assert during["ended"].isna().all()
    assert after["ended"].notna().all()
    assert after["pid"].tolist() == [os.getpid()]


def test_what_grows_is_found_by_line_in_the_snapshots(record, ledger):
    kept = []
    recorder = record()
    with recorder:
        recorder.snapshot_now()
        for _ in range(5):
            kept.append(bytearray(100_000))
        recorder.snapshot_now()

    sites = ledger().sites
    grown = sites[sites["seq"] == sites["seq"].max()].nlargest(1, "size_bytes").iloc[0]
    assert grown["file"] == __file__
    assert grown["line"] == line_of("kept.append(bytearray(100" + "_000))")
    assert grown["function"] == "test_what_grows_is_found_by_line_in_the_snapshots"
    assert grown["size_bytes"] == pytest.approx(500_000, abs=2000)
    assert set(sites["seq"]) <= set(ledger().samples["seq"])


def test_the_first_and_the_last_tick_have_a_census_of_the_objects(record, ledger, monkeypatch):
    monkeypatch.setattr(object_growth, "MAX_CENSUS_OBJECTS", 10**9)  # this process holds what all tests have loaded
    with record(top_types=4):
        pass

    objects, samples = ledger().objects, ledger().samples
    assert objects.groupby("seq").size().to_dict() == {0: 4, samples["seq"].max(): 4}
    assert objects["count"].gt(0).all()


def test_a_process_too_large_for_a_census_is_not_counted_again_at_every_tick(record, ledger, monkeypatch, wait_until):
    counted = []
    monkeypatch.setattr(object_growth, "MAX_CENSUS_OBJECTS", 0)
    monkeypatch.setattr(object_growth, "count_objects", lambda: counted.append(1) or count_objects())
    recorder = record(top_types=4)
    with recorder:
        wait_until(lambda: recorder.status().ticks >= 5)

    assert ledger().objects.empty
    assert len(counted) <= 3  # at the first tick, at the first snapshot, and at the end


def test_full_snapshots_come_at_their_interval_and_deep_columns_only_with_them(record, ledger, wait_until):
    recorder = record(snapshot_interval=0.2)
    with recorder:
        wait_until(lambda: recorder.status().snapshots >= 3)

    samples = ledger().samples
    deep = samples[samples["object_count"].notna()]
    assert 3 <= len(deep) < len(samples)
    assert deep["elapsed_s"].diff().dropna().iloc[:-1].min() > 0.19


def test_tracing_it_turned_on_it_turns_off(record):
    with record():
        assert tracemalloc.is_tracing()

    assert not tracemalloc.is_tracing()


def test_tracing_that_ran_before_goes_on(record):
    tracemalloc.start(2)
    with record():
        pass

    assert tracemalloc.is_tracing()
    assert tracemalloc.get_traceback_limit() == 2
    tracemalloc.stop()


def test_without_tracing_resident_memory_is_recorded_and_no_sites(record, ledger):
    with record(trace="off"):
        assert not tracemalloc.is_tracing()

    assert ledger().samples["traced_bytes"].isna().all()
    assert ledger().samples["rss_bytes"].gt(0).all()
    assert ledger().sites.empty


def test_a_mark_is_an_event_and_the_label_of_the_next_sample(record, ledger):
    recorder = record()
    with recorder:
        assert recorder.mark("deploy 1.4") is True
        recorder.snapshot_now()
        recorder.snapshot_now()
    assert recorder.mark("too late") is False

    events = ledger().events
    assert events[events["kind"] == "mark"]["message"].tolist() == ["deploy 1.4"]
    assert ledger().samples["label"].dropna().tolist() == ["deploy 1.4"]


def test_events_of_others_are_written(record, ledger):
    recorder = record()
    with recorder:
        assert recorder.record_event("cell", level="warning", message="In[3]", data={"seconds": 1.5}) is True

    event = ledger().events.query("kind == 'cell'").iloc[0]
    assert (event["level"], event["message"], event["data"]) == ("warning", "In[3]", {"seconds": 1.5})


def test_a_snapshot_now_gives_the_record_of_the_contract(record):
    recorder = record()
    assert recorder.snapshot_now() is None
    with recorder:
        kept = bytearray(4 * 2**20)
        snapshot = recorder.snapshot_now()

        assert snapshot.current_mb == pytest.approx(4, abs=1)
        assert snapshot.object_count > 1000
        assert snapshot.tracemalloc_stats["top"][0]["file"] == __file__
        assert recorder.snapshots[-1] is snapshot
        assert len(kept) == 4 * 2**20


def test_status_says_what_it_is_doing(record, tmp_path):
    recorder = record()
    before = recorder.status()
    with recorder:
        during = recorder.status()
    after = recorder.status()

    assert (before.running, before.ticks, before.run_id, before.rss_bytes) == (False, 0, None, None)
    assert (during.running, during.service, during.ledger, during.tracing) == (True, "api", tmp_path / "ledger", True)
    assert during.rss_bytes > 0
    assert 0 < during.capture_s < 10
    assert (after.running, after.tracing, after.errors) == (False, False, 0)
    assert after.ticks > during.ticks >= 1


def test_started_again_it_begins_a_new_run(record, ledger):
    recorder = record()
    with recorder:
        first = recorder.status().run_id
    with recorder:
        second = recorder.status().run_id

    assert first != second
    assert set(ledger().runs["run_id"]) == {first, second}
    assert ledger().samples.groupby("run_id")["seq"].min().tolist() == [0, 0]


def test_inside_a_started_recorder_a_with_block_does_not_stop_it(record):
    recorder = record()
    recorder.start()
    with recorder:
        pass

    assert recorder.status().running


@pytest.mark.parametrize(("seal", "suffix"), [(True, ".parquet"), (False, ".jsonl")])
def test_a_run_that_stops_is_sealed_into_parquet_unless_asked_not_to(record, tmp_path, seal, suffix):
    with record(seal=seal):
        pass

    tables = [path for path in (tmp_path / "ledger").rglob("service_key=*/*") if path.is_file()]
    assert {path.suffix for path in tables} == {suffix}


def test_no_thread_is_left_after_stop(record):
    recorder = record()
    with recorder:
        assert "memanalysis-recorder" in [thread.name for thread in threading.enumerate()]

    assert "memanalysis-recorder" not in [thread.name for thread in threading.enumerate()]


def test_two_recorders_share_tracing_and_a_ledger(record, ledger):
    with record(service="one") as one, record(service="two") as two:
        one.stop()
        assert tracemalloc.is_tracing()
        assert two.status().running

    assert ledger().services == ["one", "two"]


def test_calls_from_many_threads_lose_nothing(record, ledger):
    recorder = record()
    with recorder:
        threads = [threading.Thread(target=lambda: [recorder.mark("m") for _ in range(20)]) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert ledger().events["kind"].value_counts()["mark"] == 100


def test_at_exit_it_stops_by_itself(run_program, tmp_path):
    done = run_program(
        "from memanalysis import watch\n"
        "import sys, time\n"
        "recorder = watch('api', ledger='ledger', interval=0.05)\n"
        "recorder.start()\n"
        "time.sleep(0.2)\n"
        "print(sorted(sys.modules.keys() & {'yaml', 'numpy', 'pandas', 'pyarrow', 'psutil', 'IPython'}))\n"
    )

    assert done.stdout == "[]\n"
    assert done.stderr == ""
    found = open_ledger(tmp_path / "ledger")
    assert found.runs["ended"].notna().all()
    assert found.events["kind"].tolist() == ["start", "stop"]


def test_without_a_policy_nothing_heavy_is_loaded(run_program):
    done = run_program(
        "from memanalysis import watch\n"
        "import sys\n"
        "with watch('api', ledger='ledger', interval=0.05, snapshot_interval=0.1) as recorder:\n"
        "    recorder.mark('m')\n"
        "    recorder.snapshot_now()\n"
        "    print(recorder.status().errors)\n"
        "    heavy = {'yaml', 'numpy', 'pandas', 'pyarrow', 'scipy', 'psutil', 'matplotlib'}\n"
        "    print(sorted(sys.modules.keys() & heavy))\n"
        "    recorder.stop(seal=False)\n"
        "print(sorted(sys.modules.keys() & heavy))\n"
    )

    assert done.stdout.splitlines() == ["0", "[]", "[]"]


def test_a_tick_costs_little(record):
    """The middle of 40 ticks, read from the recorder itself: far under the interval of a second."""
    recorder = record(trace="off", interval=0.01, snapshot_interval=60)
    costs = []
    with recorder:
        deadline = time.monotonic() + 30
        while len(costs) < 40 and time.monotonic() < deadline:
            costs.append(recorder.status().capture_s)
            time.sleep(0.01)

    assert sorted(costs)[len(costs) // 2] < 0.005


def test_a_recorder_is_made_from_settings_alone(record):
    settings = record().settings

    assert Recorder(settings).status().service == "api"


def test_samples_have_the_label_that_is_set_until_it_is_taken_away_and_a_mark_goes_first(record, ledger):
    recorder = record(interval=3600.0)
    with recorder:
        recorder.label_samples("In[3]")
        recorder.snapshot_now()
        recorder.mark("deploy")
        recorder.snapshot_now()
        recorder.snapshot_now()
        recorder.label_samples(None)

    labels = ledger().samples.sort_values("seq")["label"]
    assert labels.fillna("").tolist() == ["", "In[3]", "deploy", "In[3]", ""]
