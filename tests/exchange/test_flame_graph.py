"""Flame graphs: boxes with the sizes of the ledger, in a page that runs and fetches nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from heap_makers import profiles
from hypothesis import HealthCheck, given, settings
from ledger_makers import Page

from memanalysis.exchange.flame_graph import render_flame_graph
from memanalysis.exchange.flame_tree import MAX_BOXES, MAX_DEPTH, grow_tree, list_steps
from memanalysis.exchange.heap_profile import Frame, HeapProfile, StackUse, read_heap_profile
from memanalysis.ledger.reading.ledger import open_ledger

SAMPLE = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def heap_of(*stacks: tuple[tuple[Frame, ...], int], grown: int | None = None) -> HeapProfile:
    return HeapProfile(
        service="api", run_id="r1", trace=None, sampling_interval_bytes=None, first=NEW_YEAR,
        last=NEW_YEAR if grown is None else NEW_YEAR.replace(hour=1),
        uses=tuple(
            StackUse(frames=frames, live_bytes=size, live_objects=1, grown_bytes=grown, grown_objects=grown)
            for frames, size in stacks
        ),
    )  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(profiles)
def test_a_box_is_as_wide_as_what_lies_in_it(heap: HeapProfile) -> None:
    for shown, total in (
        ("live", heap.live_bytes),
        ("grew", sum(max(0, use.grown_bytes or 0) for use in heap.uses)),
    ):
        root = grow_tree(heap, "live" if shown == "live" else "grew")
        assert root.size_bytes == total
        filled: list[list[int]] = []
        for step in list_steps(root):
            if step.kind == "close":
                size, *inner = filled.pop()
                assert not inner or sum(inner) == size
                continue
            if filled:
                filled[-1].append(step.size_bytes)
            if step.kind == "open":
                filled.append([step.size_bytes])
        assert not filled


def test_only_boxes_that_can_be_seen_are_drawn_and_depth_has_an_end() -> None:
    many = heap_of(*(((Frame("a.py", line),), 10_000 + line) for line in range(900)))
    wide = heap_of(*(((Frame("a.py", line), Frame("b.py", line)), 10_000 + line) for line in range(900)))
    deep = heap_of((tuple(Frame("a.py", line) for line in range(5_000)), 7))
    small = heap_of(((Frame("a.py", 1),), 999_999), ((Frame("b.py", 1),), 1))

    expected = [(many, 901, 901), (wide, 1_400, MAX_BOXES), (deep, MAX_DEPTH + 1, MAX_DEPTH + 1), (small, 2, 2)]
    for heap, least, most in expected:
        boxes = [step for step in list_steps(grow_tree(heap, "live")) if step.kind == "open"]
        assert least <= len(boxes) <= most
        assert max(step.tree.depth for step in boxes) <= MAX_DEPTH


def test_the_page_is_well_formed_and_runs_and_fetches_nothing() -> None:
    text = render_flame_graph(read_heap_profile(open_ledger(SAMPLE))).decode()
    page = Page(text)

    assert "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" in text
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(page.tags)
    assert page.handlers == []
    assert {link[0] for link in page.links} == {"#"}
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in text
    assert page.text.index("What is live: 45.1 MiB") < page.text.index("What grew: 40.7 MiB")


def test_each_box_has_its_numbers_in_words() -> None:
    text = render_flame_graph(read_heap_profile(open_ledger(SAMPLE)), shown="grew").decode()

    label = (
        "Shop._log_in, memanalysis/examples/leaky_service.py:58: 44.8 MiB live, grew by 40.5 MiB, 99.5 % of this graph"
    )
    assert f'aria-label="{label}"' in text
    assert text.index("What grew: 40.7 MiB") < text.index("What is live: 45.1 MiB")


def test_one_snapshot_has_one_graph_and_its_growth_is_not_available() -> None:
    text = render_flame_graph(heap_of(((Frame("a.py", 1, "f"),), 2048))).decode()

    assert "What grew" not in text
    assert "not available: the run has one snapshot" in text
    assert 'aria-label="f, a.py:1: 2.0 KiB live, 100.0 % of this graph"' in text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onclick="x', "\u202eevil\x00", "]]>"])
def test_names_of_the_program_stay_text(name: str) -> None:
    text = render_flame_graph(heap_of(((Frame(name, 1, name),), 10), grown=5)).decode()
    page = Page(text)

    assert "script" not in page.tags
    assert page.handlers == []
    assert "\u202e" not in text
    assert "\x00" not in text
