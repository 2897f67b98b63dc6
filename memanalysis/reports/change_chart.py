"""Draw how much more or less memory each service holds than before, with the interval of each change."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from memanalysis._html import Markup
from memanalysis.reports.charts import choose_byte_unit, draw_frame, render_svg, write_text
from memanalysis.reports.pictures import Picture
from memanalysis.reports.theme import CSS_COLOURS, LIGHT, ChartColours
from memanalysis.units import format_bytes

__all__ = ["LevelChange", "draw_changes", "draw_changes_picture"]

WIDTHS_PX = (880, 430)
ROW_PX, MARGIN_PX = 34, 70

LETTERS = (100, 46)
"""Of a service's name that stand in a wide and in a narrow picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """By how much the level of a service changed, in bytes, and the ends of the 95 % interval."""

    service: str
    change_bytes: float
    low_bytes: float
    high_bytes: float
    is_changed: bool


def draw_changes_picture(changes: Sequence[LevelChange], *, salt: str) -> Picture:
    """Return the chart in two widths."""
    words = (f"{change.service} {format_bytes(change.change_bytes, sign=True)}" for change in changes)
    wide, narrow = (
        Markup(
            render_svg(
                lambda ax, letters=letters: draw_changes(ax, changes, letters=letters, colours=CSS_COLOURS),  # type: ignore[misc]
                width_px=width,
                height_px=MARGIN_PX + ROW_PX * len(changes),
                salt=f"{salt}-{width}",
            )
        )
        for width, letters in zip(WIDTHS_PX, LETTERS, strict=True)
    )
    return Picture(f"Change of the level of each service: {', '.join(words)}", wide, narrow)


def draw_changes(
    ax: Axes, changes: Sequence[LevelChange], *, letters: int = LETTERS[0], colours: ChartColours = LIGHT
) -> None:
    """Draw a point and an interval a service, from the top down; what may be noise is hollow."""
    ends = [abs(end) for change in changes for end in (change.low_bytes, change.high_bytes, change.change_bytes)]
    factor, unit = choose_byte_unit(max(ends, default=0.0))
    draw_frame(ax, colours, xlabel=f"change of its level ({unit})", ylabel="")
    ax.axvline(0.0, color=colours.mark, linewidth=1.2)
    for row, change in enumerate(changes):
        colour = colours.mark if not change.is_changed else colours.line if change.change_bytes > 0 else colours.series
        ax.plot(
            [change.low_bytes / factor, change.high_bytes / factor], [row, row],
            color=colour, linewidth=2.2, solid_capstyle="butt",
        )  # fmt: skip
        ax.plot(
            change.change_bytes / factor, row, "o",
            color=colour, markersize=7, markerfacecolor=colour if change.is_changed else "none",
        )  # fmt: skip
        write_text(
            ax, 0.005, row - 0.26, change.service[:letters], colours.text,
            va="bottom", ha="left", transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    ax.set_yticks([])
    ax.grid(visible=False, axis="y")
    ax.margins(x=0.06)
    ax.set_ylim(len(changes) - 0.55, -0.95)
