"""A table of the sampler is written as it is, an empty one too: what is held later grew from there."""

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.sample import SYSTEM_CLOCK
from memanalysis.watcher import sampled_sites
from memanalysis.watcher.sampled_sites import SampledSites
from memanalysis.watcher.watch import watch

pytestmark = needs_sampler


def make_sites(**arguments):
    written_elsewhere = dict.fromkeys(("record_event", "write_sites", "update_run", "begin", "conclude"), ignore)
    usual = {"max_frames": 5, "top_sites": 10, "clock": SYSTEM_CLOCK, "choose_rest_s": lambda _: 0.0}
    return SampledSites(**{**usual, **written_elsewhere, **arguments})


def ignore(*_, **__):
    """Whatever is written."""


@pytest.fixture
def tables(monkeypatch):
    """Tables that were written, and what writes them: it samples next to nothing but large blocks."""
    monkeypatch.setattr(sampled_sites, "INTERVAL_BYTES", 2**30)
    written: list[list[dict]] = []
    sites = make_sites(write_sites=lambda rows: written.append(list(rows)))
    sites.start()
    yield written, sites.write_table
    sites.release()


def test_an_empty_table_has_a_row_of_nothing(tables):
    written, write_table = tables
    write_table()

    ((row,),) = written
    assert (row["file"], row["line"], row["size_bytes"], row["live_allocations"]) == ("<unknown>", 0, 0, 0)
    assert row["size_stderr_bytes"] == 0


def test_a_table_with_sites_has_no_row_of_nothing(tables):
    written, write_table = tables
    sampler.stop()
    sampler.start(interval_bytes=1024)
    kept = [str(number) * 500 for number in range(1000)]
    write_table()

    (rows,) = written
    assert kept
    assert any(row["file"] == __file__ and row["size_bytes"] > 500_000 for row in rows)
    assert all(row["size_bytes"] > 0 for row in rows)


def test_fewer_samples_are_an_event_and_in_the_row_of_the_run(monkeypatch):
    """Of 40 MB in blocks of 1 KB, one in 1 KiB are far more samples than the 8,192 that the table holds."""
    monkeypatch.setattr(sampled_sites, "INTERVAL_BYTES", 1024)
    events, cells = [], []
    sites = make_sites(
        record_event=lambda kind, **event: events.append((kind, event["message"], event["data"])),
        update_run=cells.append,
    )
    sites.start()
    sites.write_table()
    assert (events, cells) == ([], [])
    held = [bytes(1000) for _ in range(40_000)]
    for _ in range(2):
        sites.write_table()
    interval_bytes = sampler.read_stats().interval_bytes
    times_raised = sampler.read_stats().times_raised
    sites.release()

    assert held
    assert interval_bytes == 1024 * 2**times_raised
    assert times_raised >= 2
    shown = f"once in {interval_bytes / 1024:.1f} KiB from now on, and no longer once in 1.0 KiB."
    assert events == [
        (
            "sampler",
            f"Allocations are sampled {shown}",
            {"interval_bytes": interval_bytes, "times_raised": times_raised},
        )
    ]
    assert cells == [{"sampling_interval_bytes": interval_bytes}]


def test_a_recorder_goes_on_to_sample_when_the_one_that_began_has_stopped(tmp_path):
    """Two in one process: the first one starts the sampler, and ends it with its own run."""
    first, second = (watch(name, ledger=tmp_path / name, interval=60, trace="sampled", seal=False) for name in "ab")
    with second:
        pass  # what it loads is loaded
    assert first.start()
    assert second.start()
    assert first.stop()
    assert not sampler.is_running()
    second.snapshot_now()

    assert sampler.is_running()
    assert second.live is not None
    assert second.live.read_series("sampled_bytes")[1][-1] is not None
    assert [event["message"] for event in second.live.events if event["kind"] == "sampler"] == [
        "What had started the sampler ended it. It runs again, and what was held before is not known."
    ]
    assert second.stop()
    assert not sampler.is_running()
