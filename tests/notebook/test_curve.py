"""Memory over the time of a cell."""

import pytest

from memanalysis.notebook.curve import CurvePoint, CurveSampler, MemoryCurve


@pytest.mark.slow
def test_a_full_curve_keeps_its_highest_points_its_ends_and_half_the_capacity() -> None:
    """10,000 readings with one spike: at most 100 points, in order, and the spike is still there."""
    curve = MemoryCurve(max_points=100)
    for number in range(10_000):
        curve.add(CurvePoint(number / 10, 500 if number == 4321 else 100, None))

    assert len(curve.points) <= 100
    assert curve.highest_rss_bytes == 500
    seconds = [point.elapsed_s for point in curve.points]
    assert seconds == sorted(seconds)
    assert seconds[-1] == 999.9
    spike = next(point for point in curve.points if point.rss_bytes == 500)
    assert abs(spike.elapsed_s - 432.1) <= curve.points_merged / 10


def test_what_is_not_known_is_none_and_not_zero() -> None:
    curve = MemoryCurve()
    curve.add(CurvePoint(0.0, None, None))

    assert curve.highest_rss_bytes is None
    assert curve.highest_python_bytes is None


def test_merging_a_known_with_an_unknown_point_keeps_what_is_known() -> None:
    curve = MemoryCurve(max_points=2)
    curve.add(CurvePoint(0.0, None, 7))
    curve.add(CurvePoint(1.0, 3, None))

    assert curve.points == [CurvePoint(1.0, 3, 7)]


def test_a_cell_of_no_time_still_has_its_first_and_its_last_point() -> None:
    readings = iter([10, 20])
    seconds = iter([5.0, 5.0, 5.25])
    sampler = CurveSampler(lambda: next(readings), period_s=60, clock=lambda: next(seconds))
    sampler.start()
    curve = sampler.stop()

    assert curve.points == [CurvePoint(0.0, 10, None), CurvePoint(0.25, 20, None)]
