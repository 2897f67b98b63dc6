"""Draw memory while it goes on: a picture of a few kilobytes, written as SVG without a drawing library.

Matplotlib keeps its settings in one place for the whole process, so a picture that a thread draws with it could change
one that the user draws at that moment. Colours are CSS variables: one picture reads well on light and on dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from memanalysis._html import Markup, render_macro
from memanalysis.units import GIB, KIB, MIB, format_bytes

__all__ = ["Forecast", "Level", "LiveChart", "LiveLine", "draw_live_chart"]

WIDE_PX = (880, 260)
NARROW_PX = (400, 240)

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 58, 12, 28, 36
"""Margins: sizes at the left, names of the lines above, time below."""

MAX_POINTS = 240
"""Points drawn of one line, the highest of its neighbours: more is not seen, and is sent every second."""

LETTER_PX = 6.6
"""Width of a letter at the size of the picture's text."""

REACH = 1.0
"""A budget is drawn to scale when it lies no further above the lines than this many times their height."""

MIN_SPAN_SHARE = 0.05
"""The axis spans at least this share of the level, so that the noise of a flat line does not fill the picture."""

LEVEL_GAP_PX = 15
"""Names of budgets nearer than this would cover each other."""

_BYTE_UNITS = ((1024 * GIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "bytes"))
_TIME_UNITS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLine:
    """One line: its name, its points in seconds and bytes, its colour as a CSS variable and its dashes."""

    name: str
    elapsed_s: Sequence[float]
    values: Sequence[float]
    colour: str
    dashes: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """A budget that is drawn across the picture."""

    name: str
    size_bytes: float


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


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a second and a size lie in a picture."""

    width: int
    height: int
    first_s: float
    last_s: float
    low: float
    high: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.first_s) / (self.last_s - self.first_s)
        return LEFT_PX + share * (self.width - LEFT_PX - RIGHT_PX)

    def y(self, size: float) -> float:
        share = (size - self.low) / (self.high - self.low)
        return self.height - BOTTOM_PX - share * (self.height - TOP_PX - BOTTOM_PX)

    def points(self, places: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(at_s):.1f},{self.y(size):.1f}" for at_s, size in places)


def draw_live_chart(chart: LiveChart) -> Markup:
    """Return the picture in a wide and a narrow size; the page shows the one that fits."""
    return render_macro("dashboard.html.j2", "chart", chart.label, _draw(chart, *WIDE_PX), _draw(chart, *NARROW_PX))


def _draw(chart: LiveChart, width: int, height: int) -> Markup:
    lines = [line for line in chart.lines if line.values]
    if not lines:
        return Markup("")
    scale = _make_scale(chart, lines, width, height)
    factor, unit = _byte_unit(scale.high)
    seconds, time_unit = _time_unit(scale.last_s - scale.first_s)
    ticks_y = _ticks(scale.low / factor, scale.high / factor, 4)
    ticks_x = _ticks(0.0, (scale.last_s - scale.first_s) / seconds, 6 if width > NARROW_PX[0] else 4)
    return render_macro(
        "dashboard.html.j2",
        "picture",
        width=width,
        height=height,
        left=LEFT_PX,
        right=width - RIGHT_PX,
        bottom=height - BOTTOM_PX,
        top=TOP_PX,
        sizes=[(f"{scale.y(tick * factor):.1f}", f"{tick:g}") for tick in ticks_y],
        unit=unit,
        times=[(f"{scale.x(scale.first_s + tick * seconds):.1f}", f"{tick:g}") for tick in ticks_x],
        time_unit=time_unit,
        lines=[
            (scale.points(_thin(line)), line.colour, line.dashes, x, line.name)
            for line, x in zip(lines, _legend_places(lines), strict=True)
        ],
        forecast=_draw_forecast(chart.forecast, scale),
        levels=_draw_levels(chart.levels, scale),
        marks=[(f"{scale.x(at_s):.1f}", name) for at_s, name in chart.marks if scale.first_s <= at_s <= scale.last_s],
    )


def _make_scale(chart: LiveChart, lines: Sequence[LiveLine], width: int, height: int) -> _Scale:
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
    return _Scale(width, height, first_s, max(last_s, first_s + 1.0), bottom, top + 0.1 * (top - bottom))


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


def _legend_places(lines: Sequence[LiveLine]) -> list[float]:
    """Where the name of each line begins."""
    places, x = [], float(LEFT_PX)
    for line in lines:
        places.append(x)
        x += 34 + LETTER_PX * len(line.name) + 14
    return places


def _thin(line: LiveLine) -> list[tuple[float, float]]:
    """At most `MAX_POINTS` points, each the highest of its neighbours, and the last one."""
    points = list(zip(line.elapsed_s, line.values, strict=True))
    step = -(-len(points) // MAX_POINTS)
    if step == 1:
        return points
    return [
        *(max(points[at : at + step], key=lambda point: point[1]) for at in range(0, len(points), step)),
        points[-1],
    ]


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
