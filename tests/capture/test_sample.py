"""One tick: the columns that are cheap on each, the expensive ones on deep ticks, and unknown as None."""

import gc
import itertools
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.schema import SAMPLES
from memanalysis.units import MIB

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

FROM_THE_RECORDER = {"run_id", "service", "seq", "label"}
EXPENSIVE = {"pss_bytes", "uss_bytes", "object_count", "allocator_free_bytes", "thread_count", "descriptor_count"}


class HandClock:
    """Time that goes only when it is moved."""

    def __init__(self):
        self.now = 100.0

    def clock(self):
        return Clock(monotonic=lambda: self.now, wall=lambda: self.now + 1e9)


@pytest.fixture
def reader():
    reader = SampleReader()
    yield reader
    reader.close()


def test_a_sample_has_columns_of_the_table_and_no_others(reader):
    assert set(reader.read()) <= set(SAMPLES) - FROM_THE_RECORDER
    assert set(reader.read()) >= {name for name in SAMPLES if name.endswith("_bytes")} | {"timestamp", "elapsed_s"}


def test_what_is_expensive_is_read_on_deep_ticks_only(reader):
    reader.read()  # with private memory, which is read seldom between deep ticks too
    cheap, deep = reader.read(), reader.read(deep=True)

    assert all(cheap[name] is None for name in EXPENSIVE)
    assert deep["object_count"] == pytest.approx(len(gc.get_objects()), rel=0.1)
    if sys.platform == "linux":
        assert 0 < deep["uss_bytes"] <= deep["pss_bytes"] <= deep["rss_bytes"] + MIB


@pytest.mark.skipif(sys.platform != "linux", reason="private memory is read from /proc")
def test_private_memory_is_read_every_few_seconds_between_deep_ticks():
    time = HandClock()
    reader, known = SampleReader(clock=time.clock()), []
    for _ in range(121):
        known.append(reader.read()["uss_bytes"] is not None)
        time.now += 1
    reader.close()

    gaps = np.diff(np.flatnonzero(known))
    assert known[0]
    assert gaps.min() >= 2
    assert gaps.max() <= 30


@pytest.mark.skipif(sys.platform != "linux", reason="private memory is read from /proc")
def test_one_of_many_workers_reads_private_memory_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand and one seconds of one of ten thousand: less often with time, and often enough for a verdict."""
    monkeypatch.setattr("memanalysis.capture.sample.count_siblings", lambda pid: 10_000)
    processor_s = itertools.count(0.0, 0.001)  # a reading takes a millisecond, however large the process of this test
    monkeypatch.setattr("memanalysis.capture.sample.thread_time", lambda: next(processor_s))
    time = HandClock()
    reader, at = SampleReader(clock=time.clock()), []
    for second in range(1001):
        if reader.read()["uss_bytes"] is not None:
            at.append(second)
        time.now += 1
    reader.close()

    assert len(at) <= 60
    for end in (40, 200, 1001):
        assert sum(end / 4 <= second < end for second in at) >= 8


def test_without_tracing_the_traced_bytes_are_unknown(reader):
    sample = reader.read()

    assert sample["traced_bytes"] is sample["traced_peak_bytes"] is sample["tracer_bytes"] is None
    assert sample["rss_bytes"] > 0
    assert sample["live_allocations"] == pytest.approx(sys.getallocatedblocks(), rel=0.1)


def test_with_tracing_they_are_tracemallocs(reader):
    tracemalloc.start()
    reader.own_traced_bytes = 1000
    sample = reader.read()
    current, peak = tracemalloc.get_traced_memory()
    tracer = tracemalloc.get_tracemalloc_memory()
    tracemalloc.stop()

    assert sample["traced_bytes"] == pytest.approx(current, abs=20_000)
    assert sample["traced_peak_bytes"] <= peak
    assert sample["tracer_bytes"] == pytest.approx(tracer + 1000, abs=20_000)


@pytest.mark.slow
def test_collections_are_counted_over_all_generations(reader):
    before = reader.read()
    gc.collect()
    after = reader.read()

    assert after["gc_collections"] - before["gc_collections"] >= 1
    assert after["gc_collections"] == pytest.approx(sum(g["collections"] for g in gc.get_stats()), abs=3)
    assert after["gc_collected"] >= before["gc_collected"]


def test_time_comes_from_the_clock_that_is_handed_in():
    hand = HandClock()
    reader = SampleReader(clock=hand.clock())
    hand.now += 2.5
    sample = reader.read()
    reader.close()

    assert sample["elapsed_s"] == 2.5
    assert sample["timestamp"] == 1e9 + 102.5


def test_the_limit_is_read_now_and_then_and_not_on_each_tick(monkeypatch):
    limits = iter([64 * MIB, 128 * MIB])
    monkeypatch.setattr("memanalysis.capture.sample.read_limit_bytes", lambda pid: next(limits))
    hand = HandClock()
    reader = SampleReader(clock=hand.clock())

    seen = []
    for _ in range(4):
        seen.append(reader.read(deep=True)["limit_bytes"])  # else a slow reading puts the next one off
        hand.now += 10.0
    reader.close()

    assert seen == [64 * MIB, 64 * MIB, 64 * MIB, 128 * MIB]


def test_counting_blocks_costs_no_more_a_tick_than_it_may(monkeypatch):
    """Where a count would take a thousand times what a tick may cost, it comes at first and on deep ticks alone."""
    monkeypatch.setattr("memanalysis.capture.sample.BLOCK_COUNT_S_A_TICK", 1e-9)
    reader = SampleReader()
    known = [reader.read(deep=deep)["live_allocations"] is not None for deep in (False, False, True, False)]
    reader.close()

    assert known == [True, False, True, False]


def test_a_cheap_count_of_blocks_is_made_on_every_tick(monkeypatch):
    monkeypatch.setattr("memanalysis.capture.sample.BLOCK_COUNT_S_A_TICK", 1.0)
    reader = SampleReader()
    known = [reader.read()["live_allocations"] is not None for _ in range(4)]
    reader.close()

    assert known == [True] * 4


def test_of_another_process_only_the_systems_view_is_known():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        reader = SampleReader(pid=child.pid)
        sample = reader.read(deep=True)
        reader.close()
        child.communicate(b"\n")

    assert sample["rss_bytes"] > 0
    assert sample["uss_bytes"] > 0
    assert sample["traced_bytes"] is sample["object_count"] is sample["live_allocations"] is None


def test_a_sample_says_what_it_cost(reader):
    costs = sorted(reader.read()["capture_s"] for _ in range(50))

    assert 0 < costs[25] < 0.01


def test_a_sample_in_a_forked_child_is_the_childs(reader):
    reader.read()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        block = bytearray(b"x") * (48 * MIB)
        os.write(write_end, b"%d %d" % (reader.read()["rss_bytes"], len(block)))
        os._exit(0)
    os.close(write_end)
    rss_bytes = int(os.read(read_end, 64).split()[0])
    os.close(read_end)
    os.waitpid(pid, 0)

    assert rss_bytes >= 48 * MIB
