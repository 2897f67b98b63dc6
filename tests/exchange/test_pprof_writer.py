"""pprof as others read it: the library of Protocol Buffers, and Go's own tool where it is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from foreign_pprof import read_foreign, total_by_type
from heap_makers import profiles
from hypothesis import given, settings

from memanalysis.exchange.heap_profile import HeapProfile, read_heap_profile
from memanalysis.exchange.pprof_writer import render_pprof
from memanalysis.ledger.reading.ledger import open_ledger

SAMPLE = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(profiles)
def test_the_library_reads_every_stack_and_value(heap: HeapProfile) -> None:
    read = read_foreign(render_pprof(heap))

    texts = read.string_table
    functions = {function.id: (texts[function.name], texts[function.filename]) for function in read.function}
    lines = {
        location.id: (*functions[location.line[0].function_id], location.line[0].line) for location in read.location
    }
    stacks = [
        ([lines[number] for number in reversed(sample.location_id)], list(sample.value)) for sample in read.sample
    ]
    assert [texts[kind.type] for kind in read.sample_type] == [
        "inuse_objects", "inuse_space", "growth_objects", "growth_space",
    ]  # fmt: skip
    assert stacks == [
        (
            [(frame.name, frame.file, frame.line) for frame in use.frames],
            [use.live_objects, use.live_bytes, use.grown_objects, use.grown_bytes],
        )
        for use in heap.uses
    ]
    assert texts[0] == ""
    assert read.time_nanos == 1_735_689_660_123_456_000  # 2025-01-01T00:01:00.123456Z
    assert read.duration_nanos == 60_123_456_000
    assert read.period == (heap.sampling_interval_bytes or 1)
    assert texts[read.default_sample_type] == "inuse_space"


def test_totals_are_those_of_the_ledger() -> None:
    """The last snapshot of the sample ledger holds 47,244,006 bytes in 7,076 blocks, the first 4,611,668 in 738."""
    ledger = open_ledger(SAMPLE)
    sums = ledger.sites.groupby("timestamp")[["size_bytes", "live_allocations"]].sum()
    first, last = sums.iloc[0], sums.iloc[-1]

    totals = total_by_type(read_foreign(render_pprof(read_heap_profile(ledger), shown="grew")))

    assert totals == {
        "inuse_objects": last["live_allocations"],
        "inuse_space": last["size_bytes"],
        "growth_objects": last["live_allocations"] - first["live_allocations"],
        "growth_space": last["size_bytes"] - first["size_bytes"],
    }
    assert totals["inuse_space"] == 47_244_006


@pytest.mark.skipif(shutil.which("go") is None, reason="go tool pprof is the reader, and Go is not installed")
def test_go_tool_pprof_reads_the_same_totals_and_names(tmp_path: Path) -> None:
    ledger = open_ledger(SAMPLE)
    (tmp_path / "heap.pb.gz").write_bytes(render_pprof(read_heap_profile(ledger)))
    sites = ledger.sites
    last = sites[sites["timestamp"] == sites["timestamp"].max()]
    log_in = last.loc[last["function"] == "Shop._log_in", "size_bytes"].sum()

    done = subprocess.run(
        ["go", "tool", "pprof", "-top", "-unit=B", "-nodecount=1", "heap.pb.gz"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "Type: inuse_space\n" in done.stdout
    assert re.search(r"^Duration: 53\.98s, Total samples = 47244006B ?$", done.stdout, re.MULTILINE)
    assert re.search(rf"^ *{log_in}B .* Shop\._log_in$", done.stdout, re.MULTILINE)
