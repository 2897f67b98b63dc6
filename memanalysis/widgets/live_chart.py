"""Draw memory over time as a picture of a few kilobytes, written as SVG without a drawing library.

Matplotlib keeps its settings in one place for the whole process, so a picture that a thread draws with it could change
one that the user draws at that moment. Colours are CSS variables: one picture reads well on light and on dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from memanalysis._html import Markup, render_macro
from memanalysis.reports.chart_records import Level
from memanalysis.units import GIB, KIB, MIB, format_bytes

__all__ = ["Forecast", "LiveChart", "LiveLine", "Shade", "draw_live_chart"]

WIDE_PX = (880, 260)
NARROW_PX = (400, 240)
MAX_WIDTH_PX = 1000
"""Wider than this the picture is not shown: its text would be too large."""

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 58, 12, 28, 36
"""Margins: sizes at the left, names of the lines above, time below."""

COLUMN_PX = 4
"""Of each column of so wide the lowest and the highest point are drawn: more is not seen, and has to be sent."""

LETTER_PX = 6.6
"""Width of a letter at the size of the picture's text."""

REACH = 1.0
"""A budget is drawn to scale when it lies no further above the lines than this many times their height."""

MIN_SPAN_SHARE = 0.05
"""The axis spans at least this share of the level, so that the noise of a flat line does not fill the picture."""

LEGEND_ROW_PX = 18
"""Height of a row of names of lines."""

LEVEL_GAP_PX = 15
"""Names of budgets nearer than this would cover each other."""

_BYTE_UNITS = ((1024 * GIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "bytes"))
_TIME_UNITS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLine:
    """One line: its name, its points in seconds and bytes, its colour as a CSS variable and its dashes; or dots."""

    name: str
    elapsed_s: Sequence[float]
    values: Sequence[float]
    colour: str
    dashes: str = ""
    is_dotted: bool = False


@dataclass(frozen=True, slots=True)
class Shade:
    """A range of time that is shaded, in seconds; its colour as a CSS variable."""

    name: str
    start_s: float
    end_s: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Where the verdict expects memory to be: from the last sample to ``end_s``, with the ends of its interval."""

    start_s: float
    end_s: float
    start_bytes: float
    low_bytes: float
    middle_bytes: float
    high_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChart:
    """What is drawn; ``label`` is what it shows in words."""

    label: str
    lines: Sequence[LiveLine]
    levels: Sequence[Level] = ()
    forecast: Forecast | None = None
    marks: Sequence[tuple[float, str]] = ()
    shades: Sequence[Shade] = ()


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a second and a size lie in a picture."""

    width: int
    height: int
    top_px: int
    first_s: float
    last_s: float
    low: float
    high: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.first_s) / (self.last_s - self.first_s)
        return LEFT_PX + share * (self.width - LEFT_PX - RIGHT_PX)

    def y(self, size: float) -> float:
        share = (size - self.low) / (self.high - self.low)
        return self.height - BOTTOM_PX - share * (self.height - self.top_px - BOTTOM_PX)

    def points(self, places: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(at_s):.1f},{self.y(size):.1f}" for at_s, size in places)


def draw_live_chart(chart: LiveChart) -> Markup:
    """Return the picture in a wide and a narrow size; the page shows the one that fits."""
    return render_macro(
        "dashboard.html.j2", "chart", chart.label, _draw(chart, *WIDE_PX), _draw(chart, *NARROW_PX), MAX_WIDTH_PX
    )


def _draw(chart: LiveChart, width: int, height: int) -> Markup:
    lines = [line for line in chart.lines if line.values]
    if not lines:
        return Markup("")
    legend = _legend_places(lines, width)
    scale = _make_scale(chart, lines, width, height, top_px=TOP_PX + legend[-1][1])
    factor, unit = _byte_unit(scale.high)
    seconds, time_unit = _time_unit(scale.last_s)
    ticks_y = _ticks(scale.low / factor, scale.high / factor, 4)
    ticks_x = _ticks(scale.first_s / seconds, scale.last_s / seconds, 6 if width > NARROW_PX[0] else 4)
    return render_macro(
        "dashboard.html.j2",
        "picture",
        width=width,
        height=height,
        left=LEFT_PX,
        right=width - RIGHT_PX,
        bottom=height - BOTTOM_PX,
        top=scale.top_px,
        sizes=[(f"{scale.y(tick * factor):.1f}", f"{tick:g}") for tick in ticks_y],
        unit=unit,
        times=[(f"{scale.x(tick * seconds):.1f}", f"{tick:g}") for tick in ticks_x],
        time_unit=time_unit,
        lines=[
            (
                scale.points(_thin(line, columns=width // COLUMN_PX)),
                line.colour,
                line.dashes,
                x,
                y,
                line.name,
                [
                    (f"{scale.x(at_s):.1f}", f"{scale.y(size):.1f}")
                    for at_s, size in zip(line.elapsed_s, line.values, strict=True)
                ]
                if line.is_dotted
                else [],
            )
            for line, (x, y) in zip(lines, legend, strict=True)
        ],
        forecast=_draw_forecast(chart.forecast, scale),
        levels=_draw_levels(chart.levels, scale),
        shades=[
            (
                f"{scale.x(shade.start_s):.1f}",
                f"{max(scale.x(shade.end_s) - scale.x(shade.start_s), 1.0):.1f}",
                shade.colour,
                shade.name,
            )
            for shade in chart.shades
        ],
        marks=[(f"{scale.x(at_s):.1f}", name) for at_s, name in chart.marks if scale.first_s <= at_s <= scale.last_s],
    )


def _make_scale(chart: LiveChart, lines: Sequence[LiveLine], width: int, height: int, *, top_px: int) -> _Scale:
    first_s = min(line.elapsed_s[0] for line in lines)
    last_s = max(line.elapsed_s[-1] for line in lines)
    low = min(min(line.values) for line in lines)
    high = max(max(line.values) for line in lines)
    if chart.forecast is not None:
        last_s = max(last_s, chart.forecast.end_s)
        high = max(high, chart.forecast.high_bytes)
    span = max(high - low, MIN_SPAN_SHARE * high, 1.0)
    top = max([high, *(level.size_bytes for level in chart.levels if level.size_bytes <= high + REACH * span)])
    bottom = max(0.0, low - 0.1 * span)
    bottom = 0.0 if bottom < 0.3 * high else bottom
    last_s = max(last_s, first_s + 1.0)
    return _Scale(width, height, top_px, first_s, last_s, bottom, top + 0.1 * (top - bottom))


def _draw_forecast(forecast: Forecast | None, scale: _Scale) -> tuple[str, str] | None:
    """Corners of the band, and the ends of the line in it."""
    if forecast is None:
        return None
    start = (forecast.start_s, forecast.start_bytes)
    low, middle, high = (
        (forecast.end_s, max(size, scale.low))
        for size in (forecast.low_bytes, forecast.middle_bytes, forecast.high_bytes)
    )
    return scale.points([start, high, low]), scale.points([start, middle])


def _draw_levels(levels: Sequence[Level], scale: _Scale) -> list[tuple[str, str, bool]]:
    """Height and name of each budget in sight, and whether the name stands at the left: where the right is taken."""
    seen = sorted((level for level in levels if level.size_bytes <= scale.high), key=lambda level: -level.size_bytes)
    drawn = []
    lowest_y = {False: -math.inf, True: -math.inf}
    for level in seen:
        y = scale.y(level.size_bytes)
        free = [is_left for is_left, last_y in lowest_y.items() if y - last_y >= LEVEL_GAP_PX]
        name = f"{level.name} {format_bytes(level.size_bytes)}" if free else ""
        drawn.append((f"{y:.1f}", name, bool(free and free[0])))
        lowest_y.update(dict.fromkeys(free[:1], y))
    return drawn


def _legend_places(lines: Sequence[LiveLine], width: int) -> list[tuple[int, int]]:
    """Where the name of each line begins; in a further row where it does not fit beside the others."""
    places, x, y = [], LEFT_PX, 0
    for line in lines:
        length = 34 + round(LETTER_PX * len(line.name)) + 14
        if x > LEFT_PX and x + length > width:
            x, y = LEFT_PX, y + LEGEND_ROW_PX
        places.append((x, y))
        x += length
    return places


def _thin(line: LiveLine, *, columns: int) -> list[tuple[float, float]]:
    """Return the lowest and the highest point of each column, in the order of time, and the last one."""
    points = list(zip(line.elapsed_s, line.values, strict=True))
    step = -(-len(points) // columns)
    if step <= 2:
        return points
    thin = []
    for at in range(0, len(points), step):
        ends = {min(points[at : at + step], key=_value), max(points[at : at + step], key=_value)}
        thin += sorted(ends)
    return thin if thin[-1] == points[-1] else [*thin, points[-1]]


def _value(point: tuple[float, float]) -> float:
    return point[1]


def _ticks(low: float, high: float, n: int) -> list[float]:
    """Round numbers from low to high, about ``n`` of them."""
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    return [round(step * at, 10) for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _byte_unit(largest: float) -> tuple[int, str]:
    return next(((factor, unit) for factor, unit in _BYTE_UNITS if largest >= factor), (1, "bytes"))


def _time_unit(longest_s: float) -> tuple[float, str]:
    return next(((length, unit) for least, length, unit in _TIME_UNITS if longest_s >= least), (1.0, "seconds"))
