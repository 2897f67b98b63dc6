"""Draw memory while a cell ran: one line of SVG of about a kilobyte, which reads well on a light and on a dark page.

The picture has no background of its own, and its ink is a grey that stands out from white and from black alike.
"""

import sys
import tracemalloc

from memanalysis.notebook.curve import MemoryCurve
from memanalysis.units import format_bytes, format_duration

__all__ = ["INK", "draw_curve", "is_ready_for_html", "load_drawing"]

INK = "#7a7a7a"
"""Grey with a contrast of 4.3 to 1 on white and 4.4 to 1 on JupyterLab's dark #111."""

RSS_COLOUR = "#3b82c4"
"""A blue that is readable on light and dark."""

WIDTH, HEIGHT = 360, 56
"""Pixels: fits beside an open side bar."""

MAX_POINTS = 90
"""One for each four pixels."""


def is_ready_for_html() -> bool:
    """Whether HTML costs little now: loading Jinja2 is slow while tracing runs, and would be traced."""
    return "jinja2" in sys.modules or not tracemalloc.is_tracing()


def load_drawing() -> None:
    """Load what draws now, so that loading it later is not taken for the user's memory; not while tracing runs."""
    if is_ready_for_html():
        import memanalysis._html  # noqa: F401


def draw_curve(curve: MemoryCurve, *, label: str) -> str:
    """Return resident memory over the time of a cell as SVG; empty where there are fewer than three readings."""
    points = [(point.elapsed_s, point.rss_bytes) for point in curve.points if point.rss_bytes is not None]
    if len(points) < 3:
        return ""
    step = -(-len(points) // MAX_POINTS)
    shown = [max(points[start : start + step], key=lambda point: point[1]) for start in range(0, len(points), step)]
    end_s = max(points[-1][0], 1e-9)
    low, high = min(size for _, size in points), max(size for _, size in points)
    if high == low:
        return ""
    path = " ".join(
        f"{elapsed_s / end_s * WIDTH:.0f},{HEIGHT - 3 - (size - low) / (high - low) * (HEIGHT - 6):.0f}"
        for elapsed_s, size in shown
    )
    title = f"Resident memory while {label} ran: {format_bytes(low)} to {format_bytes(high)} in {_seconds(end_s)}"
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="width:{WIDTH}px;max-width:100%;height:auto;display:block;margin:4px 0"><title>{title}</title>'
        f'<path d="M0 {HEIGHT - 1}H{WIDTH}" stroke="{INK}" stroke-width="1"/>'
        f'<polyline points="{path}" fill="none" stroke="{RSS_COLOUR}" stroke-width="2"/></svg>'
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)
