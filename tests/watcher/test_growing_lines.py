"""The lines that grow in a run that goes on, and the series and events that are shown of it."""

from pathlib import Path

import pytest

from memanalysis import watch
from memanalysis.capture import sampler
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import MAX_EVENTS, LiveRun


@pytest.mark.slow
@pytest.mark.skipif(sampler.why_unavailable() is not None, reason="there is no sampler on this Python")
def test_a_sampled_run_names_the_line_that_grew_and_its_error(tmp_path: Path) -> None:
    """Thirty megabytes in blocks of 100,000 bytes, after the first table."""
    held = []
    with watch("api", ledger=tmp_path, interval=0.05, trace="sampled", seal=False) as recorder:
        assert recorder.growing_lines() == []
        observer = recorder._observer
        assert observer is not None
        assert observer.sampled is not None
        observer.sampled.write_table()
        for _ in range(300):
            held.append(bytearray(100_000))
        (line, *_) = recorder.growing_lines()
        assert recorder.growing_lines(top=0) == []
    assert Path(line.file).name == "test_growing_lines.py"
    assert line.error_bytes is not None
    assert line.growth_bytes == pytest.approx(30_000_000, abs=2 * line.error_bytes)
    assert line.error_bytes < 8e6
    assert recorder.growing_lines() == []


@pytest.mark.slow
def test_a_traced_run_names_the_line_that_grew_exactly(tmp_path: Path) -> None:
    held = []
    with watch("api", ledger=tmp_path, trace="full", seal=False) as recorder:
        for _ in range(40):
            held.append(bytearray(100_000))
        recorder.snapshot_now()
        (line, *_) = recorder.growing_lines()

    assert (Path(line.file).name, line.error_bytes) == ("test_growing_lines.py", None)
    assert line.growth_bytes == pytest.approx(4_000_000, rel=0.01)


def test_a_run_that_follows_no_lines_names_none(tmp_path: Path) -> None:
    with watch("api", ledger=tmp_path, trace="off", seal=False) as recorder:
        assert recorder.growing_lines() == []


def test_the_last_events_and_the_judged_points_are_there_to_be_shown(tmp_path: Path) -> None:
    with watch("api", ledger=tmp_path, interval=0.05, trace="off", seal=False) as recorder:
        recorder.mark("deploy")
        live = recorder.live
    assert live is not None
    assert [event["kind"] for event in live.events] == ["start", "mark", "stop"]
    elapsed_s, values = live.read_series("rss_bytes")
    assert len(elapsed_s) == len(values) >= 2
    assert min(values) > MIB


def test_events_are_kept_in_bounded_memory() -> None:
    live = LiveRun()
    for number in range(3 * MAX_EVENTS):
        live.add_event({"timestamp": float(number), "kind": "mark"})

    assert len(live.events) == MAX_EVENTS
    assert live.events[-1]["timestamp"] == 3 * MAX_EVENTS - 1
