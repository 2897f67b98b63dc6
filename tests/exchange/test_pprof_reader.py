"""Heap profiles of pprof: of our own, as Go writes them, damaged ones and bombs."""

import gzip
import tracemalloc
from typing import Any

import pytest
from foreign_pprof import profile_class
from heap_makers import profiles
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.heap_profile import Frame, HeapProfile
from memanalysis.exchange.pprof_reader import parse_heap_file, site_rows
from memanalysis.exchange.pprof_writer import render_pprof


def go_profile(**changes: Any) -> Any:
    """A heap profile with an inlined function, made by the library of Protocol Buffers as Go makes it."""
    texts = ["", "alloc_space", "bytes", "inuse_objects", "count", "inuse_space", "main.leak", "/src/m.go", "main.main"]
    texts += ["/bin/shop"]
    made = profile_class()(string_table=texts, time_nanos=1_735_689_600_500_000_000, period=524_288)
    for name, unit in ((1, 2), (3, 4), (5, 2)):
        made.sample_type.add(type=name, unit=unit)
    made.mapping.add(id=1, filename=9)
    made.function.add(id=1, name=6, filename=7)
    made.function.add(id=2, name=8, filename=7)
    inlined = made.location.add(id=7, mapping_id=1, address=4096)
    inlined.line.add(function_id=1, line=4)
    inlined.line.add(function_id=2, line=6)
    made.location.add(id=9, mapping_id=1, address=255)
    made.sample.add(location_id=[7, 9], value=[900, 3, 300])
    made.sample.add(location_id=[9], value=[50, 0, 0])
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_profile_of_go_has_the_sizes_in_use_with_inlined_functions_as_frames() -> None:
    heap = parse_heap_file(gzip.compress(go_profile().SerializeToString()), name="go.pb.gz")

    assert (heap.taken_s, heap.program, heap.period_bytes) == (1_735_689_600.5, "shop", 524_288)
    main, leak = Frame("/src/m.go", 6, "main.main"), Frame("/src/m.go", 4, "main.leak")
    native = Frame("/bin/shop", 0, "0xff")
    assert heap.stacks == {(native, main, leak): (300, 3), (native,): (0, 0)}
    (row,) = site_rows(heap)
    assert row | {"site_id": ""} == {
        "site_id": "", "file": "/src/m.go", "line": 4, "function": "main.leak", "size_bytes": 300,
        "traceback": [["/bin/shop", 0, "0xff"], ["/src/m.go", 6, "main.main"], ["/src/m.go", 4, "main.leak"]],
        "live_allocations": 3,
    }  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(profiles)
def test_what_we_write_we_read_with_every_stack_size_and_moment(heap: HeapProfile) -> None:
    read = parse_heap_file(render_pprof(heap), name="own.pb.gz")

    expected: dict[Any, tuple[int, int]] = {}
    for use in heap.uses:
        frames = tuple(Frame(frame.file, frame.line, frame.name) for frame in use.frames)
        size, count = expected.get(frames, (0, 0))
        expected[frames] = size + use.live_bytes, count + (use.live_objects or 0)
    assert read.stacks == expected
    assert read.program == heap.service
    assert read.taken_s == heap.last.timestamp()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_profile_is_read_or_refused_and_raises_nothing_else(data: st.DataObject) -> None:
    content = bytearray(go_profile().SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]

    try:
        error = str(len(parse_heap_file(bytes(content), name="x").stacks))[:0]
    except LedgerFormatError as exc:
        error = str(exc)
    assert not error or error.startswith("x: ")


def test_a_bomb_of_a_gigabyte_is_refused_before_it_is_unpacked() -> None:
    member = gzip.compress(bytes(16 * 1024**2))
    tracemalloc.start()
    try:
        with pytest.raises(
            LedgerFormatError, match=r"at most 128 MiB, but b\.pb\.gz holds more, packed as gzip\. Split it"
        ):
            parse_heap_file(member * 64, name="b.pb.gz")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 200 * 1024**2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (gzip.compress(b"abc")[:-9], "x is a gzip file that is cut off"),
        (b"\x1f\x8bnonsense", "x is a damaged gzip file"),
        (b"\x0a\xff", "x: needs a whole profile of pprof, but byte 1 begins a number that is cut off"),
        (go_profile(time_nanos=0).SerializeToString(), "x: needs the time at which it was taken"),
        (profile_class()(string_table=[""]).SerializeToString(), "x: needs a heap profile with .* no sample types"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_heap_profile_is_one_error_that_names_the_file(content: bytes, error: str) -> None:
    with pytest.raises(LedgerFormatError, match=error):
        parse_heap_file(content, name="x")


def test_a_profile_of_time_and_a_difference_are_refused() -> None:
    made = go_profile()
    made.string_table[2] = "nanoseconds"
    with pytest.raises(
        LedgerFormatError, match="but has alloc_space/nanoseconds, inuse_objects/count, inuse_space/nano"
    ):
        parse_heap_file(made.SerializeToString(), name="x")
    made = go_profile()
    made.sample[0].value[2] = -1
    with pytest.raises(LedgerFormatError, match="a size in it is negative, as in the difference of two profiles"):
        parse_heap_file(made.SerializeToString(), name="x")


def test_a_stack_deeper_than_any_is_refused() -> None:
    made = go_profile()
    made.sample[0].location_id.extend([9] * 20_000)

    with pytest.raises(LedgerFormatError, match="a stack has more than 10,000 frames"):
        parse_heap_file(made.SerializeToString(), name="x")
