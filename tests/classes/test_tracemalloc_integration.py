"""Snapshots taken under tracing by the class interface."""

import gc
import sys
import time

import pytest

from memanalysis.classes.tracemalloc_integration import TracemallocIntegration
from memanalysis.errors import CaptureError


def test_a_snapshot_holds_what_was_allocated():
    tracing = TracemallocIntegration()
    tracing.start()
    kept = bytearray(5 * 2**20)
    before = time.time()
    snapshot = tracing.take_snapshot()
    tracing.stop()

    assert snapshot.current_mb == pytest.approx(5, abs=0.2)
    assert snapshot.peak_mb >= snapshot.current_mb
    assert snapshot.timestamp == pytest.approx(before, abs=5)
    assert snapshot.object_count == pytest.approx(len(gc.get_objects()), rel=0.1)
    assert snapshot.rss_mb > 5
    assert snapshot.live_allocations == pytest.approx(sys.getallocatedblocks(), rel=0.1)
    top = snapshot.tracemalloc_stats["top"][0]
    assert top["file"] == __file__
    assert top["size_mb"] == pytest.approx(5, abs=0.1)
    assert snapshot.tracemalloc_stats["tracer_mb"] > 0
    assert len(kept) == 5 * 2**20


def test_a_snapshot_taken_right_after_another_is_fresh():
    tracing = TracemallocIntegration()
    tracing.start()
    tracing.take_snapshot()
    kept = bytearray(3 * 2**20)
    snapshot = tracing.take_snapshot()
    tracing.stop()

    assert snapshot.tracemalloc_stats["top"][0]["size_mb"] == pytest.approx(3, abs=0.1)
    assert len(kept) == 3 * 2**20


def test_a_snapshot_without_tracing_is_an_error():
    with pytest.raises(
        CaptureError, match=r"^take_snapshot needs tracemalloc tracing, but it is off\. Call start\(\) first\.$"
    ):
        TracemallocIntegration().take_snapshot()
