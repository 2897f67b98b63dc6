"""A table of the sampler is written as it is, an empty one too: what is held later grew from there."""

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.sample import SYSTEM_CLOCK
from memanalysis.watcher import sampled_sites
from memanalysis.watcher.sampled_sites import SampledSites
from memanalysis.watcher.watch import watch

pytestmark = needs_sampler


@pytest.fixture
def tables(monkeypatch):
    """Tables that were written, and what writes them: it samples next to nothing but large blocks."""
    monkeypatch.setattr(sampled_sites, "INTERVAL_BYTES", 2**30)
    written: list[list[dict]] = []
    sites = SampledSites(
        max_frames=5,
        top_sites=10,
        clock=SYSTEM_CLOCK,
        record_event=lambda *_, **__: None,
        write_sites=lambda rows: written.append(list(rows)),
        begin=lambda: None,
        conclude=lambda: None,
    )
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
