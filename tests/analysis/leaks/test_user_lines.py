"""A site counts for the line of the user's code where that is known, and keeps the line that allocates beside it."""

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from memanalysis.analysis.leaks.user_lines import ALLOCATING, use_user_lines

LIBRARY = {"file": "/lib/json.py", "line": 7, "function": "loads", "bytes": 10}
OWN = {"file": "/srv/main.py", "line": 3, "function": "serve", "bytes": 20}
USER = {"user_file": "/srv/main.py", "user_line": 5, "user_function": "read"}
NO_USER = dict.fromkeys(USER)


def read(frame: pd.DataFrame, row: int, names: list[str]) -> tuple[object, ...]:
    return tuple(frame[name].iloc[row] for name in names)


def test_what_a_library_allocates_counts_for_the_line_that_called_it() -> None:
    lines = use_user_lines(pd.DataFrame([LIBRARY | USER, OWN | NO_USER]))

    assert read(lines, 0, list(ALLOCATING)) == ("/srv/main.py", 5, "read")
    assert read(lines, 0, list(ALLOCATING.values())) == ("/lib/json.py", 7, "loads")
    assert lines["bytes"].tolist() == [10, 20]


def test_a_line_of_the_user_is_both_at_once() -> None:
    lines = use_user_lines(pd.DataFrame([LIBRARY | USER, OWN | NO_USER]))

    own = ("/srv/main.py", 3, "serve")
    assert read(lines, 1, list(ALLOCATING)) == read(lines, 1, list(ALLOCATING.values())) == own


@pytest.mark.parametrize("known", [{}, NO_USER], ids=["no columns", "no values"])
def test_where_no_line_of_the_user_is_known_each_site_stays_where_it_was(known: dict[str, None]) -> None:
    sites = pd.DataFrame([LIBRARY | known, OWN | known])
    lines = use_user_lines(sites)

    assert_frame_equal(lines[list(sites)], sites)
    for name, place in ALLOCATING.items():
        assert lines[place].tolist() == sites[name].tolist()


def test_a_file_without_line_and_function_takes_none_of_them_from_the_library() -> None:
    """The line 7 of another file would be a place that is not there."""
    lines = use_user_lines(pd.DataFrame([LIBRARY | {"user_file": "/srv/main.py"}]))

    assert read(lines, 0, ["file", "line", "function"]) == ("/srv/main.py", None, None)
    assert read(lines, 0, list(ALLOCATING.values())) == ("/lib/json.py", 7, "loads")


def test_columns_that_are_missing_are_unknown() -> None:
    lines = use_user_lines(pd.DataFrame([{"file": "/lib/json.py", "user_file": "/srv/main.py", "user_line": 5}]))

    assert read(lines, 0, ["file", "line", "function"]) == ("/srv/main.py", 5, None)
    assert lines[["allocated_line", "allocated_function"]].isna().all(axis=None)


def test_twice_is_once_and_the_input_stays() -> None:
    sites = pd.DataFrame([LIBRARY | USER, OWN | NO_USER], index=[4, 4])
    before = sites.copy(deep=True)
    once = use_user_lines(sites)

    assert_frame_equal(sites, before)
    assert use_user_lines(once) is once
    assert once.index.tolist() == [4, 4]


def test_no_sites_stay_none() -> None:
    lines = use_user_lines(pd.DataFrame(columns=[*LIBRARY, *USER]))

    assert lines.empty
    assert set(ALLOCATING.values()) <= set(lines)
