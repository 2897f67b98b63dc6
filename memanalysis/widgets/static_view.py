"""The explorer where no widgets are: what is selected as text, table and picture, for terminals and saved pages."""

from collections.abc import Sequence

import pandas as pd

from memanalysis._html import Markup
from memanalysis._tables import render_text_table
from memanalysis._text import make_printable
from memanalysis.reports.report_tables import verdict_table
from memanalysis.units import format_bytes
from memanalysis.widgets.explorer_view import View
from memanalysis.widgets.run_rows import METRICS

__all__ = ["join_parts", "render_view_text"]


def render_view_text(view: View, *, stretch: str, verdicts: pd.DataFrame) -> str:
    """Return what is selected as text: its highest, lowest and last value, its verdict, and all of the ledger.

    Parameters
    ----------
    view : View
    stretch : str
        The selected time, in words.
    verdicts : DataFrame
        Of the whole ledger, as `assess` gives them.
    """
    selection = view.selection
    lines = [f"{METRICS[selection.metric]} of {selection.service}, {stretch}"]
    if view.values.size:
        lowest, highest, last = view.values.min(), view.values.max(), view.values[-1]
        lines.append(f"between {format_bytes(lowest)} and {format_bytes(highest)}, {format_bytes(last)} at the end")
    lines += [view.sentence, render_text_table(verdict_table(view.verdict))]
    if len(verdicts) > 1:
        lines += ["", "The whole ledger:", render_text_table(verdict_table(verdicts))]
    return "\n".join(make_printable(line) for part in lines for line in part.split("\n"))


def join_parts(parts: Sequence[str]) -> str:
    """Return the rendered parts of the explorer as one piece of HTML, without pickers."""
    return str(Markup("\n").join(Markup(part) for part in parts))
