"""What a cell freed and made."""

import gc
import sys

import numpy as np
import pytest

from memanalysis.notebook.net_change import UserValues, find_rebound_line

MIB = 2**20


@pytest.mark.slow
def test_a_freed_array_is_gone_and_one_that_moved_is_not() -> None:
    names = {"freed": np.ones(MIB), "moved": np.ones(MIB)}
    values = UserValues(names)
    names["kept"] = names.pop("moved")
    del names["freed"]
    change = values.compare(new_blocks=0)

    assert [value.path for value in change.gone] == ["freed"]
    assert change.made == []
    assert change.gone_bytes == 8 * MIB


def test_a_list_is_gone_only_where_its_items_are() -> None:
    """A sorted copy holds the same texts, so that the list's own pointers alone are gone."""
    names = {"rows": [str(number) for number in range(200_000)]}
    values = UserValues(names)
    names["rows"] = sorted(names["rows"])
    gc.collect()
    copied = values.compare(new_blocks=0)

    values = UserValues(names)
    before = sys.getallocatedblocks()
    del names["rows"]
    gc.collect()
    freed = values.compare(new_blocks=0)

    assert before - sys.getallocatedblocks() > 150_000
    assert list(copied.gone) == []
    assert [value.path for value in freed.gone] == ["rows"]


def use_table() -> object:
    return table  # type: ignore[name-defined]  # noqa: F821 - a name of the notebook


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 1\ntable = load()", (2, True)),
        ("table = table * 2", (1, False)),
        ("table = use_table()", (1, False)),
        ("del table\ntable = load()", None),
        ("table = None\ntable = load()", None),
        ("for n in range(3):\n    table = load()", None),
        ("if (", None),
    ],
    ids=["made again", "read", "read by a function", "deleted before", "set before", "in a loop", "no Python"],
)
def test_the_source_shows_whether_old_and_new_live_together(source: str, found: tuple[int, bool] | None) -> None:
    assert find_rebound_line(source, "table", {"use_table": use_table}) == found
