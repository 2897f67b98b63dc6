"""The picture of the dashboard: what is in it, and where."""

import re

import pytest

from memanalysis.reports.chart_records import Level
from memanalysis.units import GIB, MIB
from memanalysis.widgets.live_chart import Forecast, LiveChart, LiveLine, draw_live_chart


def rise(n: int = 100, *, name: str = "resident memory") -> LiveLine:
    """A MiB a second, from 100 MiB on."""
    return LiveLine(
        name=name,
        elapsed_s=[float(at) for at in range(n)],
        values=[float((100 + at) * MIB) for at in range(n)],
        colour="--ma-series",
    )


def read_points(picture: str) -> list[tuple[float, float]]:
    """Points of the first line of the wide picture."""
    points = re.findall(r'<polyline points="([^"]*)" fill="none" stroke="var\(--ma-series\)"', picture)[0]
    return [tuple(map(float, point.split(","))) for point in points.split()]  # type: ignore[misc]


@pytest.mark.slow
def test_a_rising_line_goes_from_the_left_below_to_the_right_above() -> None:
    points = read_points(str(draw_live_chart(LiveChart(label="x", lines=[rise()]))))

    assert len(points) == 100
    assert points[0][0] == 58.0
    assert points[-1][0] == 868.0
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_a_long_line_is_thinned_and_keeps_its_peak() -> None:
    line = rise(10_000)
    values = list(line.values)
    values[5_000] = 50_000.0 * MIB
    long = LiveLine(name="x", elapsed_s=line.elapsed_s, values=values, colour="--ma-series")
    picture = str(draw_live_chart(LiveChart(label="x", lines=[long])))

    assert len(read_points(picture)) <= 441
    assert min(y for _, y in read_points(picture)) < 60
    assert len(picture) < 20_000


def test_budgets_in_sight_are_named_beside_each_other_and_others_are_left_out() -> None:
    levels = [Level("budget", 220 * MIB), Level("critical", 215 * MIB), Level("container limit", 64 * GIB)]
    picture = str(draw_live_chart(LiveChart(label="x", lines=[rise()], levels=levels)))

    assert re.search(r'text-anchor="end" fill="var\(--ma-budget\)">budget 220 MiB', picture)
    assert re.search(r'text-anchor="start" fill="var\(--ma-budget\)">critical 215 MiB', picture)
    assert "container" not in picture


def test_a_forecast_is_a_band_to_the_right_of_the_line() -> None:
    forecast = Forecast(
        start_s=99.0,
        end_s=129.0,
        start_bytes=199 * MIB,
        low_bytes=209 * MIB,
        middle_bytes=229 * MIB,
        high_bytes=249 * MIB,
    )
    picture = str(draw_live_chart(LiveChart(label="x", lines=[rise()], forecast=forecast)))

    band = re.findall(r'<polygon points="([^"]*)"', picture)[0]
    (x, y), (end, high), (_, low) = (map(float, point.split(",")) for point in band.split())
    assert x == pytest.approx(read_points(picture)[-1][0], abs=0.2)
    assert end == 868.0
    assert high < low < y


def test_names_are_text_and_never_markup() -> None:
    chart = LiveChart(label='"><script>', lines=[rise(name="<script>")], marks=[(3.0, "<script>")])

    assert "<script" not in str(draw_live_chart(chart))


def test_no_line_is_an_empty_picture() -> None:
    assert "<svg" not in str(draw_live_chart(LiveChart(label="No sample yet", lines=())))
