"""The small picture of a cell."""

import re

import pytest

from memanalysis.notebook.curve import CurvePoint, MemoryCurve
from memanalysis.notebook.plot import draw_curve


def make_curve(*sizes: int) -> MemoryCurve:
    curve = MemoryCurve()
    for second, size in enumerate(sizes):
        curve.add(CurvePoint(float(second), size, None))
    return curve


@pytest.mark.slow
def test_the_picture_is_small_and_keeps_the_highest_point() -> None:
    """900 readings, one of them high: the top of the picture is reached, in less than 2 KB."""
    svg = draw_curve(make_curve(*[0] * 450, 10**9, *[0] * 449), label="In[3]")
    points = re.findall(r'polyline points="([^"]+)"', svg)[0].split()

    assert min(float(point.split(",")[1]) for point in points) == 3
    assert len(svg) < 2_000


def test_nothing_is_drawn_of_memory_that_did_not_move_or_was_hardly_read() -> None:
    assert draw_curve(make_curve(5, 5, 5, 5), label="In[3]") == ""
    assert draw_curve(make_curve(5, 9), label="In[3]") == ""
