"""The heap of a run as its snapshots have it: sizes, growth, names of frames, and what is unknown."""

from datetime import UTC, datetime

import pytest
from heap_makers import MakeLedger, site

from memanalysis.errors import InvalidArgumentError
from memanalysis.exchange.heap_profile import Frame, read_heap_profile
from memanalysis.ledger.reading.ledger import open_ledger

MAIN, WORK = ("app.py", 3), ("app.py", 7)


@pytest.mark.slow
def test_growth_goes_from_the_first_snapshot_to_the_last_and_shrinking_is_negative(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(
        {
            5: [site(MAIN, WORK, size=100, objects=2), site(MAIN, ("gone.py", 1), size=40)],
            10: [site(MAIN, WORK, size=9_000, objects=90)],
            20: [site(MAIN, WORK, size=300, objects=5, function="work"), site(("new.py", 1), size=30)],
        },
        trace="sampled",
        sampling_interval_bytes=4096,
    )

    heap = read_heap_profile(open_ledger(ledger))

    assert [(use.frames[-1].file, use.live_bytes, use.grown_bytes, use.grown_objects) for use in heap.uses] == [
        ("app.py", 300, 200, 3),
        ("new.py", 30, 30, 1),
        ("gone.py", 0, -40, -1),
    ]
    assert (heap.live_bytes, heap.grown_bytes) == (330, 190)
    assert (heap.trace, heap.sampling_interval_bytes) == ("sampled", 4096)
    assert heap.first == datetime(2025, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert heap.last == datetime(2025, 1, 1, 0, 0, 20, tzinfo=UTC)


def test_a_frame_has_the_function_that_any_row_knows_of_it_and_else_its_place(make_ledger: MakeLedger) -> None:
    rows = [
        site(("lib/app.py", 3), WORK, size=100, function="work"),
        {**site(("lib/app.py", 3), ("c.py", 2), size=10), "user_file": "lib/app.py", "user_line": 3}
        | {"user_function": "main"},
        site(("lib/other.py", 9), WORK, size=1),
    ]

    heap = read_heap_profile(open_ledger(make_ledger({5: rows})))

    assert [[frame.name for frame in use.frames] for use in heap.uses] == [
        ["main", "work"],
        ["main", "c.py:2"],
        ["other.py:9", "work"],
    ]
    assert Frame("<frozen runpy>", 88).name == "frozen runpy:88"


def test_a_traceback_names_its_functions_and_one_row_names_those_of_others(make_ledger: MakeLedger) -> None:
    named = site(("app.py", 3), WORK, size=100) | {"traceback": [["app.py", 3, "main"], ["app.py", 7, "work"]]}

    heap = read_heap_profile(open_ledger(make_ledger({5: [named, site(MAIN, ("c.py", 2), size=10)]})))

    assert [[frame.name for frame in use.frames] for use in heap.uses] == [["main", "work"], ["main", "c.py:2"]]


def test_one_snapshot_has_no_growth_and_an_unknown_size_is_not_zero(make_ledger: MakeLedger) -> None:
    ledger = make_ledger({5: [site(MAIN, size=100, objects=None), site(WORK, size=None), site(("x.py", 1), size=7)]})

    heap = read_heap_profile(open_ledger(ledger))

    assert (heap.has_growth, heap.grown_bytes, heap.n_unknown) == (False, None, 1)
    assert [(use.live_bytes, use.live_objects, use.grown_bytes) for use in heap.uses] == [
        (100, None, None),
        (7, None, None),
    ]
    assert not heap.has_objects


def test_a_traceback_that_is_none_leaves_the_line_that_allocates(make_ledger: MakeLedger) -> None:
    rows = [site(WORK, size=10) | {"traceback": damaged} for damaged in (None, "text", [["a.py"]], [[1, 2]])]

    heap = read_heap_profile(open_ledger(make_ledger({5: rows})))

    assert [(use.frames, use.live_bytes) for use in heap.uses] == [((Frame("app.py", 7),), 40)]


def test_the_run_with_the_latest_snapshot_is_taken_unless_one_is_named(make_ledger: MakeLedger) -> None:
    make_ledger({50: [site(WORK, size=2)]}, run_id="late")
    ledger = open_ledger(make_ledger({5: [site(WORK, size=1)]}, run_id="early"))

    assert read_heap_profile(ledger).run_id == "late"
    assert read_heap_profile(ledger, run_id="early").live_bytes == 1


def test_a_choice_that_is_missing_or_wrong_is_one_sentence_with_the_cure(make_ledger: MakeLedger) -> None:
    make_ledger({5: [site(WORK, size=1)]}, service="web", run_id="r2")
    path = make_ledger({5: [site(WORK, size=1)]}, service="api")
    ledger = open_ledger(path)

    with pytest.raises(InvalidArgumentError, match=r"snapshots of 'api', 'web'. Name one with --service\.$"):
        read_heap_profile(ledger)
    with pytest.raises(InvalidArgumentError, match="has none of service 'api' of run 'r2'"):
        read_heap_profile(ledger, service="api", run_id="r2")
    assert read_heap_profile(ledger, service="web").run_id == "r2"
