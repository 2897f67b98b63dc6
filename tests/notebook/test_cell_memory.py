"""How the rows of a cell are joined and ordered."""

import pytest

from memanalysis.notebook.cell_memory import join_lines
from memanalysis.notebook.lines import LineMemory, Place


def line(number: int, size: int, *, native: int = 0) -> LineMemory:
    return LineMemory(place=Place("In[1]", number), size_bytes=size, live_allocations=1, native_bytes=native)


@pytest.mark.slow
def test_retained_and_highest_of_a_line_are_joined_the_largest_first() -> None:
    rows = join_lines([line(2, 10), line(4, -3)], [line(2, 4), line(3, 50, native=20)])

    assert [(row.place.line, row.highest_bytes, row.retained_bytes, row.native_bytes) for row in rows] == [
        (3, 50, 0, 20),
        (2, 4, 10, 0),
        (4, 0, -3, 0),
    ]


def test_of_lines_that_hold_about_as_much_the_one_that_ran_is_first() -> None:
    """100 and 95 are about the same, 100 and 50 are not."""
    near = join_lines([], [line(2, 100), line(3, 95)], peak_place=Place("In[1]", 3))
    far = join_lines([], [line(2, 100), line(3, 50)], peak_place=Place("In[1]", 3))

    assert [row.place.line for row in near] == [3, 2]
    assert [row.place.line for row in far] == [2, 3]
