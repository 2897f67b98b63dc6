"""Draw memory while a cell ran: a small picture that reads well on a light and on a dark page.

The picture has no background of its own, and its ink is a grey that stands out from white and from black alike.
matplotlib is loaded when the first picture is drawn; no global state of it is used.
"""

import io
import sys
import tracemalloc
from typing import TYPE_CHECKING

from memanalysis.notebook.curve import CurvePoint, MemoryCurve
from memanalysis.units import KIB, MIB

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "draw_curve", "is_ready_for_html", "is_ready_to_draw", "load_drawing", "render_curve_png"]

INK = "#7a7a7a"
"""Grey with a contrast of 4.3 to 1 on white and 4.4 to 1 on JupyterLab's dark #111."""

RSS_COLOUR = "#3b82c4"
PYTHON_COLOUR = "#d9791a"
"""Blue and orange: distinct to the colour-blind too, both readable on light and dark."""

PIXELS_PER_INCH = 192
"""Twice the size at which it is shown, for screens with small pixels."""


def is_ready_to_draw() -> bool:
    """Whether a picture costs little now: importing matplotlib takes 20 times as long while tracing runs."""
    return "matplotlib.backends.backend_agg" in sys.modules or not tracemalloc.is_tracing()


def is_ready_for_html() -> bool:
    """Whether HTML costs little now: loading Jinja2 is slow while tracing runs, and would be traced."""
    return "jinja2" in sys.modules or not tracemalloc.is_tracing()


def load_drawing() -> None:
    """Load what draws now, so that loading it later is not taken for the user's memory; not while tracing runs."""
    if is_ready_for_html():
        import memanalysis._html  # noqa: F401
    if is_ready_to_draw():
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401


def render_curve_png(curve: MemoryCurve, *, width_in: float = 6.2, height_in: float = 1.7) -> bytes:
    """Picture of memory over the time of a cell, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0.0)
    draw_curve(figure.add_subplot(), curve)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=PIXELS_PER_INCH, transparent=True)
    return target.getvalue()


def draw_curve(axes: "Axes", curve: MemoryCurve) -> None:
    """Draw growth since the start of the cell, in the unit that suits its size."""
    points = curve.points
    rss = [(point.elapsed_s, point.rss_bytes) for point in points if point.rss_bytes is not None]
    python = [(point.elapsed_s, point.traced_bytes) for point in points if point.traced_bytes is not None]
    highest = max((abs(value - series[0][1]) for series in (rss, python) for _, value in series), default=0)
    factor, unit = (MIB, "MiB") if highest >= MIB else (KIB, "KiB")
    for series, colour, name in ((rss, RSS_COLOUR, "resident memory"), (python, PYTHON_COLOUR, "Python")):
        if series:
            start = series[0][1]
            seconds = [elapsed_s for elapsed_s, _ in series]
            axes.plot(
                seconds, [(value - start) / factor for _, value in series], color=colour, label=name, linewidth=1.6
            )
    axes.axhline(0.0, color=INK, linewidth=0.6, alpha=0.6)
    axes.set_xlim(0.0, _last_second(points))
    axes.margins(y=0.12)
    axes.set_xlabel("seconds", color=INK, fontsize=8)
    axes.set_ylabel(f"{unit} since start", color=INK, fontsize=8)
    axes.tick_params(colors=INK, labelsize=8, length=2.5)
    axes.locator_params(axis="y", nbins=4)
    axes.patch.set_alpha(0.0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize=8, labelcolor=INK, borderpad=0.1
    )


def _last_second(points: list[CurvePoint]) -> float:
    return max(points[-1].elapsed_s if points else 0.0, 1e-3)
