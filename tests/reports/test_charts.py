import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from memanalysis.reports.chart_records import Level, SeriesChart, SiteLine, Span
from memanalysis.reports.charts import draw_series, draw_sites, render_png, render_svg
from memanalysis.reports.series_thinning import thin_series
from memanalysis.reports.theme import CSS_COLOURS
from memanalysis.units import MIB


def chart(**known: object) -> SeriesChart:
    times = np.arange(60.0)
    given = {"name": "resident memory", "elapsed_s": times, "values": (40 + times) * MIB} | known
    return SeriesChart(**given)  # type: ignore[arg-type]


def texts(draw: object) -> list[str]:
    svg = render_svg(draw, width_px=800, height_px=300, salt="t")  # type: ignore[arg-type]
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]  # noqa: S314 - our own


def test_thinning_keeps_every_peak_and_bounds_the_points() -> None:
    """A spike of one sample in a million is still drawn."""
    times = np.arange(1_000_000.0)
    values = np.sin(times)
    values[123_456] = 50.0
    thin_times, thin_values = thin_series(times, values, columns=400)

    assert thin_times.size <= 800
    assert (thin_values.max(), thin_values.min()) == (50.0, values.min())
    assert (np.diff(thin_times) > 0).all()
    assert set(thin_times) <= set(times)


def test_a_short_series_is_not_thinned() -> None:
    times = np.arange(10.0)
    assert thin_series(times, times)[0] is times


def test_axes_have_names_and_units() -> None:
    seen = texts(lambda ax: draw_series(ax, chart(), colours=CSS_COLOURS))

    assert "resident memory (MiB)" in seen
    assert "time since start (seconds)" in seen


@pytest.mark.parametrize(
    ("seconds", "unit"), [(10.0, "seconds"), (600.0, "minutes"), (3 * 3600.0, "hours"), (5 * 86400.0, "days")]
)
def test_the_axis_of_time_takes_the_unit_of_its_length(seconds: float, unit: str) -> None:
    ax = Figure().add_subplot()
    draw_series(ax, chart(elapsed_s=np.array([0.0, seconds]), values=np.array([1.0, 2.0]) * MIB))

    assert ax.get_xlabel() == f"time since start ({unit})"


def test_a_budget_within_reach_is_a_line_and_one_far_above_is_a_note() -> None:
    near = texts(lambda ax: draw_series(ax, chart(levels=[Level("budget", 120 * MIB)]), colours=CSS_COLOURS))
    far = texts(lambda ax: draw_series(ax, chart(levels=[Level("budget", 4096 * MIB)]), colours=CSS_COLOURS))

    assert "budget 120 MiB" in near
    assert "budget 4.0 GiB: above this chart" in far


def test_a_flat_series_is_drawn_flat() -> None:
    """Noise of 4 KiB on 100 MiB does not fill the chart: the axis spans a tenth of the level."""
    ax = Figure().add_subplot()
    values = 100 * MIB + 4096 * (np.arange(60) % 2)
    draw_series(ax, chart(values=values.astype(float)))
    low, high = ax.get_ylim()

    assert high - low >= 10


def test_names_are_text_and_never_formulas_or_markup() -> None:
    name = "$x^2$ <b>&"
    seen = texts(
        lambda ax: draw_series(ax, chart(name=name, line_s=np.array([0.0, 9.0]), line_bytes=np.array([4e7, 5e7]),
                                         line_name=name, marks=[(5.0, name)]), colours=CSS_COLOURS)
    )  # fmt: skip
    seen += texts(
        lambda ax: draw_sites(ax, [SiteLine(name=name, elapsed_s=np.array([0.0, 1.0]), values=np.array([1.0, 2.0]))])
    )

    assert [text.strip() for text in seen].count(name) == 3
    assert f"{name} (MiB)" in seen


def test_nothing_recorded_is_said_on_the_chart() -> None:
    empty = np.zeros(0)

    assert texts(lambda ax: draw_series(ax, chart(elapsed_s=empty, values=empty))) == ["no values were recorded"]
    assert texts(lambda ax: draw_sites(ax, [])) == ["no allocation sites were recorded"]


def test_a_picture_is_the_same_every_time_and_reaches_for_nothing_outside() -> None:
    first, second = (
        render_svg(lambda ax: draw_series(ax, chart()), width_px=800, height_px=300, salt="a") for _ in "ab"
    )

    assert first == second
    assert "<style" not in first
    assert "http" not in first
    assert not re.findall(r'\bid="(?!m|p)', first)


def test_ids_of_two_pictures_differ() -> None:
    one, other = (
        set(
            re.findall(
                r' id="([^"]+)"',
                render_svg(lambda ax: draw_series(ax, chart()), width_px=800, height_px=300, salt=salt),
            )
        )
        for salt in ("a", "b")
    )

    assert one
    assert not one & other


def test_colours_of_a_picture_are_variables_of_the_page() -> None:
    svg = render_svg(lambda ax: draw_series(ax, chart(), colours=CSS_COLOURS), width_px=800, height_px=300, salt="a")

    assert "stroke: var(--ma-series)" in svg
    assert "#0a0b" not in svg


def test_ranges_and_breaches_are_shaded_from_their_begin_to_their_end_and_named() -> None:
    """Two ranges in two colours, and a breach in that of the budget."""
    spans = [Span("A", 0.0, 20.0, False), Span("B", 30.0, 59.0, False), Span("critical", 40.0, 50.0, True)]
    svg = render_svg(
        lambda ax: draw_series(ax, chart(spans=spans), colours=CSS_COLOURS), width_px=880, height_px=300, salt="spans"
    )

    shaded = re.findall(r"fill: (var\(--ma-[a-z]+\)); opacity: 0\.14", svg)
    assert shaded == ["var(--ma-series)", "var(--ma-line)", "var(--ma-budget)"]
    assert all(f">{name}</text>" in svg.replace("> ", ">") for name in ("A", "B", "critical"))


def test_the_baselines_of_windows_are_points_with_a_name_of_their_own() -> None:
    windows = chart(window_s=np.array([10.0, 30.0]), window_bytes=np.array([105.0, 115.0]) * MIB)
    svg = render_svg(lambda ax: draw_series(ax, windows, colours=CSS_COLOURS), width_px=880, height_px=300, salt="w")

    assert ">baselines of windows</text>" in svg


def test_a_png_is_as_large_as_it_is_asked_to_be() -> None:
    content = render_png(lambda ax: draw_series(ax, chart()), width_px=400, height_px=200, scale=2.0)

    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert [int.from_bytes(content[at : at + 4], "big") for at in (16, 20)] == [800, 400]


@pytest.mark.parametrize(
    ("sizes_mib", "named"),
    [
        ((80, 95, 100), ["budget 100 MiB", "critical 95.0 MiB", "warning 80.0 MiB"]),
        ((95, 96, 97), ["budget 97.0 MiB", "warning 95.0 MiB"]),
        ((20, 60, 100), ["budget 100 MiB", "critical 60.0 MiB", "warning 20.0 MiB"]),
    ],
)
def test_no_line_of_a_budget_strikes_through_the_name_of_another(sizes_mib: tuple[int, ...], named: list[str]) -> None:
    """A series of 30 to 180 MiB, as of a service that went far beyond its budget, in a picture of both widths."""
    times = np.arange(60.0)
    levels = [Level(name, size * MIB) for name, size in zip(("warning", "critical", "budget"), sizes_mib, strict=True)]
    for width, height in ((880, 300), (430, 290)):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        ax = figure.add_subplot()
        draw_series(ax, chart(values=(30 + 2.5 * times) * MIB, levels=levels))
        figure.canvas.draw()
        boxes = {text.get_text(): text.get_window_extent() for text in ax.texts}
        lines_px = [ax.transData.transform((0.0, size))[1] for size in sizes_mib]

        assert sorted(boxes) == sorted(named)
        for name, box in boxes.items():
            assert not [line for line in lines_px if box.y0 < line < box.y1], name


@pytest.mark.parametrize("levels_mib", [(64, 128), (64, 90, 128), (102, 122, 128)])
def test_no_name_of_a_budget_stands_on_another_or_outside(levels_mib: tuple[int, ...]) -> None:
    """A series of 30 to 60 MiB, and a budget far above it, on which a note stands in the corner."""
    levels = [Level(f"level {size}", size * MIB) for size in levels_mib]
    for width, height in ((880, 300), (430, 290)):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        ax = figure.add_subplot()
        draw_series(ax, chart(values=(30 + np.arange(60.0) / 2) * MIB, levels=levels))
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in ax.texts]

        assert not [(one, other) for one, other in combinations(boxes, 2) if one.overlaps(other)]
        assert all(box.y1 <= ax.bbox.y1 + 1 for box in boxes)


def test_the_lines_of_code_have_the_axis_of_the_run_and_not_that_of_their_last_table() -> None:
    """Tables come less often than samples, so the last one may be half a minute before the end."""
    times = np.array([5.0, 10.0, 20.0])
    ax = Figure().add_subplot()
    draw_sites(ax, [SiteLine(name="a.py:1", elapsed_s=times, values=times * MIB)], until_s=36.0)

    assert ax.get_xlim() == (0.0, pytest.approx(1.02 * 36.0))
