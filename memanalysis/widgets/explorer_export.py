"""Write what the explorer shows: the samples of the range as CSV, its picture as PNG, all of it as a page."""

import base64
import re
from collections.abc import Sequence
from pathlib import PurePath

from memanalysis._html import Markup, render_macro
from memanalysis.errors import InvalidArgumentError
from memanalysis.reports.chart_records import SeriesChart
from memanalysis.reports.charts import draw_series, render_png
from memanalysis.widgets.explorer_view import RunTables, cut_stretch
from memanalysis.widgets.state import Selection

__all__ = ["EXPORT_FORMATS", "make_data_address", "make_export", "name_export", "read_format"]

EXPORT_FORMATS = {"csv": "text/csv", "png": "image/png", "html": "text/html"}
"""What can be written, by the ending of a file, and its media type."""

PNG_PX = (880, 340)


def read_format(path: str) -> str:
    """Return the format that the ending of a path names.

    Raises
    ------
    InvalidArgumentError
        It is none of `EXPORT_FORMATS`.
    """
    form = PurePath(path).suffix.lower().removeprefix(".")
    if form not in EXPORT_FORMATS:
        raise InvalidArgumentError(
            f"export needs a path that ends with .csv, .png or .html, but got {path!r}. Name the format by the ending."
        )
    return form


def make_export(
    form: str, *, tables: RunTables, selection: Selection, chart: SeriesChart, parts: Sequence[str], title: str
) -> bytes:
    """Return the content of a file in one of the formats."""
    if form == "png":
        width, height = PNG_PX
        return render_png(lambda ax: draw_series(ax, chart), width_px=width, height_px=height)
    if form == "html":
        return str(render_macro("explorer.html.j2", "page", title, Markup("\n".join(parts)))).strip().encode()
    stretch = cut_stretch(tables, selection)
    columns = [name for name in ("timestamp", "elapsed_s", selection.metric) if name in stretch]
    return bytes(stretch[columns].to_csv(index=False), "utf-8")


def name_export(selection: Selection, form: str) -> str:
    """Return a file name made from service and metric."""
    service = re.sub(r"[^\w.-]+", "-", selection.service).strip("-.") or "service"
    return f"{service}-{selection.metric}.{form}"


def make_data_address(content: bytes, form: str) -> str:
    """Return an address that holds the content itself, for a link in a page."""
    return f"data:{EXPORT_FORMATS[form]};base64,{base64.b64encode(content).decode('ascii')}"
