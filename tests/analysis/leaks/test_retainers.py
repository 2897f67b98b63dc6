"""The line whose container grew along with what leaked is the one that keeps it."""

import sys
import tracemalloc
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.leaks.retainers import find_retainer
from memanalysis.analysis.leaks.site_ranking import RESPONSIBLE_COLUMNS, pick_responsible_lines, rank_sites
from memanalysis.capture.snapshot import snapshot_sites
from memanalysis.units import MIB

Cell = tuple[float, float] | None


def table(lines: dict[tuple[str, int], list[Cell]]) -> pd.DataFrame:
    """One row a line and snapshot, ten seconds apart: bytes and live blocks; None: not listed."""
    return pd.DataFrame(
        [
            {
                "run_id": "run-1",
                "service": "shop",
                "timestamp": pd.Timestamp(10 * i, unit="s", tz="UTC"),
                "site_id": f"{file}:{line}",
                "file": file,
                "line": line,
                "function": "f",
                "size_bytes": cell[0],
                "live_allocations": cell[1],
            }
            for (file, line), cells in lines.items()
            for i, cell in enumerate(cells)
            if cell is not None
        ]
    )


def made(bytes_each: int, *, per_snapshot: int = 500, n: int = 4) -> list[Cell]:
    """Objects of one size, as many more in each snapshot."""
    return [(bytes_each * per_snapshot * (i + 1), per_snapshot * (i + 1)) for i in range(n)]


def a_list_of(counts: list[int]) -> list[Cell]:
    """What one list of references takes, enlarged by an eighth ahead: CPython's ``list_resize``."""
    return [(8 * (count + (count >> 3) + 6) & ~3, 1) for count in counts]


GROWING = [500, 1000, 1500, 2000]
"""Objects of `made` in each of its snapshots."""

MAKERS = {("order.py", 10): made(300), ("item.py", 20): made(400), ("price.py", 30): made(200)}
"""Three files that make one object each, of 900 bytes together."""


def responsible_of(lines: dict[tuple[str, int], list[Cell]]) -> dict[str, object]:
    return pick_responsible_lines(rank_sites(table(lines))).to_dict("records")[0]


@pytest.mark.slow
def test_the_list_that_keeps_what_others_make_is_named_with_its_largest_maker():
    guilty = responsible_of(MAKERS | {("registry.py", 5): a_list_of(GROWING)})

    assert list(guilty) == list(RESPONSIBLE_COLUMNS)
    assert (guilty["file"], guilty["line"], guilty["is_retainer"]) == ("registry.py", 5, True)
    assert (guilty["allocated_file"], guilty["allocated_line"]) == ("item.py", 20)
    assert guilty["share"] < 0.02
    assert guilty["allocated_share"] == pytest.approx(400 / 909, rel=0.01)


@pytest.mark.parametrize(
    "sizes",
    [[18_520, 36_960, 73_816, 73_816], [32_984, 32_984, 131_288, 131_288], [4_200, 8_400, 12_600, 16_800]],
    ids=["dict", "set", "deque"],
)
def test_dicts_sets_and_deques_are_containers_too(sizes):
    """``sys.getsizeof`` of a dict and a set of 500, 1000, 1500, 2000 (CPython 3.11); a deque has a block for 64."""
    is_deque = sizes[0] == 4_200
    cells = [(size, count // 64 if is_deque else 1) for size, count in zip(sizes, GROWING, strict=True)]

    assert responsible_of(MAKERS | {("registry.py", 5): cells})["file"] == "registry.py"


@pytest.mark.parametrize(
    "cells",
    [
        made(8),
        [(8_000, 1)] * 4,
        [(4_000, 1), (12_000, 1), (8_000, 1), (16_000, 1)],
        [(1_000, 1), (1_500, 1), (2_000, 1), (2_500, 1)],
        [(MIB, 1), (2 * MIB, 1), (3 * MIB, 1), (4 * MIB, 1)],
        [(4_000, np.nan), (8_000, np.nan), (12_000, np.nan), (16_000, np.nan)],
        [None, None, None, (16_000, 1)],
        [(4_000, 1), (8_000, 1), (12_000, 1), None],
        [(600, 2), (600, 2), (600, 2), (9_000, 3)],
        [(190_000, 900), (195_000, 900), (196_000, 900), (210_000, 900)],
    ],
    ids=[
        "a block each",
        "still",
        "emptied now and then",
        "too small",
        "a buffer",
        "no counts",
        "seen once",
        "gone",
        "made once",
        "a full cache",
    ],
)
def test_what_is_no_growing_container_keeps_nothing(cells):
    guilty = responsible_of(MAKERS | {("other.py", 5): cells})

    assert guilty["file"] in ("item.py", "other.py")
    assert not guilty["is_retainer"]
    assert guilty["allocated_file"] is None


def test_a_block_for_each_leaked_object_is_part_of_it_and_no_retainer():
    """Each object has a dict of 568 bytes and 40 strings: few blocks beside the strings, but one for each object."""
    lines = {("parse.py", 7): made(60, per_snapshot=20_000), ("stats.py", 41): made(568)}

    assert responsible_of(lines)["allocated_file"] is None


def test_the_file_that_makes_most_and_keeps_it_is_named_by_the_line_that_makes_most():
    guilty = responsible_of({("shop.py", 10): made(300), ("shop.py", 5): a_list_of(GROWING)})

    assert (guilty["file"], guilty["line"], guilty["allocated_file"]) == ("shop.py", 10, None)


def test_of_two_containers_the_one_that_grew_most_is_named():
    """A dict of names and a list beside it, both with an entry for each object."""
    names = [(18_520, 1), (36_960, 1), (73_816, 1), (73_816, 1)]
    guilty = responsible_of(MAKERS | {("log.py", 9): a_list_of(GROWING), ("registry.py", 5): names})

    assert guilty["file"] == "registry.py"


def test_a_container_that_was_cut_from_the_first_snapshots_is_found_by_the_later_ones():
    cells = [None, None, *a_list_of(GROWING)[2:]]
    assert responsible_of(MAKERS | {("registry.py", 5): cells})["file"] == "registry.py"


def test_without_counts_the_file_that_makes_most_is_named():
    frame = table(MAKERS | {("registry.py", 5): a_list_of(GROWING)}).drop(columns="live_allocations")
    guilty = pick_responsible_lines(rank_sites(frame))

    assert guilty[["file", "is_retainer"]].values.tolist() == [["item.py", False]]


def test_many_snapshots_that_are_thinned_show_the_same_retainer():
    counts = [20 * (i + 1) for i in range(200)]
    lines = {key: [(size * n, n) for n in counts] for key, size in ((("a.py", 1), 300), (("b.py", 2), 400))}

    assert responsible_of(lines | {("registry.py", 5): a_list_of(counts)})["file"] == "registry.py"


def test_a_row_that_is_there_twice_counts_once():
    frame = table(MAKERS | {("registry.py", 5): a_list_of(GROWING)})
    twice = pd.concat([frame, frame], ignore_index=True)

    pd.testing.assert_frame_equal(rank_sites(twice), rank_sites(frame))


@given(st.integers(1, 7), st.integers(1, 30), st.randoms(use_true_random=False))
def test_noise_without_a_container_names_no_retainer(snapshots, lines, random):
    """Every line gains as many blocks as bytes, or keeps still: there is nothing that could keep."""
    blocks = np.cumsum([[random.randint(0, 50) for _ in range(lines)] for _ in range(snapshots)], axis=0)

    assert find_retainer(64.0 * blocks, blocks.astype(float), np.full(lines, 1 / lines)) is None


@pytest.mark.slow
def test_a_real_registry_is_named_though_three_other_modules_make_what_it_keeps(tmp_path, monkeypatch):
    """A list in one module, bytearrays and lists of three others in it, as tracemalloc shows them."""
    texts = {
        "kept_registry": "kept = []\ndef remember(item):\n    kept.append(item)\n",
        "kept_first": "def make():\n    return bytearray(300)\n",
        "kept_second": "def make(size):\n    return bytearray(size)\n",
        "kept_third": "def make(*parts):\n    return [*parts, None, None]\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry, first, second, third = (import_module(name) for name in texts)
    rows = []
    tracemalloc.start(25)
    try:
        for moment in range(6):
            for _ in range(400):
                registry.remember(third.make(first.make(), second.make(moment + 200)))
            now = pd.Timestamp(60 * moment, unit="s", tz="UTC")
            rows += [row | {"service": "shop", "run_id": "run-1", "timestamp": now} for row in snapshot_sites(top=50)]
    finally:
        tracemalloc.stop()
        for name in texts:
            sys.modules.pop(name)
    guilty = pick_responsible_lines(rank_sites(pd.DataFrame(rows))).iloc[0]

    assert (Path(guilty["file"]).name, guilty["line"], guilty["function"]) == ("kept_registry.py", 3, "remember")
    assert Path(guilty["allocated_file"]).name == "kept_first.py"


def test_a_line_whose_growth_is_that_of_its_own_small_blocks_keeps_nothing() -> None:
    """Two blocks of 380 bytes more each time, as open connections are, beside 500 objects that leak each time."""
    sizes = np.array([[760.0, 50_000.0], [1520.0, 100_000.0], [2280.0, 150_000.0]])
    blocks = np.array([[2.0, 500.0], [4.0, 1000.0], [6.0, 1500.0]])

    assert find_retainer(sizes, blocks, np.array([0.02, 0.98])) is None
