"""A table of the sampler is written as it is, an empty one too: what is held later grew from there."""

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.sample import SYSTEM_CLOCK
from memanalysis.watcher import sampled_sites
from memanalysis.watcher.sampled_sites import SampledSites

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
