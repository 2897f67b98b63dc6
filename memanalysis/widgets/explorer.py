"""Explore a ledger in a notebook: pick a service, a run, a metric and a stretch of time, and see its verdict.

The widget draws into itself: nothing of matplotlib's global state is used, and nothing is left when it is closed.
Everything that comes from the ledger is escaped.
"""

import re
from typing import Any

import ipywidgets
import pandas as pd

from memanalysis._html import Markup, render_macro
from memanalysis._text import make_printable
from memanalysis.reports.charts import SeriesChart, draw_series, render_svg
from memanalysis.reports.report_tables import verdict_table
from memanalysis.reports.styles import render_styles
from memanalysis.reports.theme import CSS_COLOURS
from memanalysis.reports.verdict_cells import short_run_id
from memanalysis.units import format_bytes, format_duration
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.sources import LedgerSource, PolicySource, resolve_ledger
from memanalysis.widgets.state import (
    METRICS,
    Selection,
    View,
    choose_metric,
    choose_range,
    choose_run,
    choose_service,
    first_selection,
    list_choices,
    make_view,
)
from memanalysis.widgets.static_view import join_parts, render_view_text

__all__ = ["Explorer", "explore"]

CHART_PX = (880, 300)

SLIDER_STEPS = 500
"""Steps of the slider over the run: finer than a hand can set."""

_BEGAN = re.compile(r"\d{4}(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-")


def explore(ledger: LedgerSource, *, policy: PolicySource = None) -> "Explorer":
    """Explore a ledger in a notebook, with pickers for service, run, metric and time.

    Parameters
    ----------
    ledger : Ledger, path or URL
        Read once, when the widget is made.
    policy : path, mapping or Policy, optional
        Budgets and thresholds, as for `assess`.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    PolicyError
        The policy is broken.

    See Also
    --------
    memanalysis.report : The whole ledger at once, as a page.

    Examples
    --------
    >>> import memanalysis
    >>> explorer = memanalysis.explore("sample_ledgers/leaking_service")
    >>> explorer.service.value, explorer.metric.value
    ('leaky_service', 'rss_bytes')
    >>> explorer.close()
    """
    return Explorer(ledger, policy=policy)


class Explorer(ipywidgets.VBox):  # type: ignore[misc]
    """Pickers, a picture and the verdicts of a ledger; ``selection`` is what is shown, None in an empty ledger."""

    def __init__(self, ledger: LedgerSource, *, policy: PolicySource = None) -> None:
        opened = resolve_ledger(ledger, call="explore")
        self._samples = opened.samples
        self._events = opened.events
        self.selection = first_selection(self._samples)
        if self.selection is None:
            self._static_text = f"No samples are in {make_printable(str(opened.path))} yet."
            super().__init__([ipywidgets.HTML(_render("empty", render_styles(), opened.path))])
            return
        self._verdicts = assess(opened, policy=policy)
        self._is_updating = False
        self.service = _picker("Service")
        self.run = _picker("Run")
        self.metric = _picker("Metric")
        self.range = ipywidgets.FloatRangeSlider(
            description="Time", continuous_update=False, readout=False, layout={"width": "560px", "max_width": "100%"}
        )
        self.range_text = ipywidgets.HTML(layout={"flex": "1 0 320px"})
        self.picture = ipywidgets.HTML()
        self.table = ipywidgets.HTML(_render("verdicts", render_styles(), verdict_table(self._verdicts)))
        super().__init__(
            [
                ipywidgets.HBox([self.service, self.run, self.metric], layout={"flex_flow": "row wrap"}),
                ipywidgets.HBox([self.range, self.range_text], layout={"flex_flow": "row wrap"}),
                self.picture,
                self.table,
            ]
        )
        self._show(self.selection)
        self.service.observe(self._on_service, names="value")
        self.run.observe(self._on_run, names="value")
        self.metric.observe(self._on_metric, names="value")
        self.range.observe(self._on_range, names="value")

    def __repr__(self) -> str:
        selected = self.selection
        return "<Explorer>" if selected is None else f"<Explorer of {make_printable(selected.service)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        """Give the widget, and beside it what it shows as text and as HTML, for where no widgets are."""
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/plain"] = self._static_text
            shown = self.children if self.selection is None else (self.range_text, self.picture, self.table)
            bundle["text/html"] = join_parts([part.value for part in shown])
        return bundle

    def _on_service(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_service(self._samples, self._selected, change["new"]))

    def _on_run(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_run(self._samples, self._selected, change["new"]))

    def _on_metric(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_metric(self._samples, self._selected, change["new"]))

    def _on_range(self, change: Any) -> None:
        if self._is_reader_asking():
            start_s, end_s = change["new"]
            self._show(choose_range(self._selected, start_s, end_s, length_s=self.range.max))

    @property
    def _selected(self) -> Selection:
        assert self.selection is not None  # noqa: S101 - the pickers exist only then
        return self.selection

    def _is_reader_asking(self) -> bool:
        """Whether a picker was moved by a hand, and not by us while we show a new selection."""
        return not self._is_updating

    def _show(self, selection: Selection) -> None:
        self.selection = selection
        choices = list_choices(self._samples, selection)
        self._is_updating = True
        try:
            _set_options(self.service, [(make_printable(name), name) for name in choices.services], selection.service)
            _set_options(self.run, [(_name_run(run_id), run_id) for run_id in choices.run_ids], selection.run_id)
            _set_options(self.metric, [(METRICS[name], name) for name in choices.metrics], selection.metric)
            self.run.layout.display = None if len(choices.run_ids) > 1 else "none"
            _set_range(self.range, selection, length_s=choices.length_s)
        finally:
            self._is_updating = False
        view = make_view(self._samples, self._events, selection)
        self.range_text.value = _describe_range(view)
        self.picture.value = _draw(view)
        self._static_text = render_view_text(view, stretch=self.range_text.value, verdicts=self._verdicts)


def _picker(description: str) -> Any:
    return ipywidgets.Dropdown(description=description, layout={"width": "290px"})


def _set_options(picker: Any, options: list[tuple[str, str]], value: str) -> None:
    if list(picker.options) != options:
        picker.options = options
    picker.value = value


def _set_range(slider: Any, selection: Selection, *, length_s: float) -> None:
    """Set the ends before the value: the slider refuses a value outside of its ends."""
    length_s = max(length_s, 1e-3)
    if slider.max != length_s:
        slider.value = (0.0, 0.0)
        slider.max = length_s
    slider.step = length_s / SLIDER_STEPS
    slider.value = (selection.start_s, max(selection.end_s, selection.start_s))


def _name_run(run_id: str) -> str:
    """When it began and the last part of its id: ``11-22 16:55:48 7374c496``."""
    began = _BEGAN.match(run_id)
    if began is None:
        return make_printable(run_id) or "the only one"
    month, day, hour, minute, second = began.groups()
    return f"{month}-{day} {hour}:{minute}:{second} {short_run_id(run_id)}"


def _describe_range(view: View) -> str:
    selection = view.selection
    length = format_duration(selection.end_s - selection.start_s)
    if view.started is None:
        return f"{length}, {view.elapsed_s.size} points"
    first, last = (view.started + pd.Timedelta(seconds=at) for at in (selection.start_s, selection.end_s))
    same_day = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {same_day} UTC, {length}"


def _draw(view: View) -> str:
    selection = view.selection
    name = METRICS[selection.metric]
    chart = SeriesChart(name=name, elapsed_s=view.elapsed_s, values=view.values, marks=view.marks)
    width, height = CHART_PX
    picture = render_svg(
        lambda ax: draw_series(ax, chart, colours=CSS_COLOURS), width_px=width, height_px=height, salt="explorer"
    )
    latest = f", {format_bytes(view.values[-1])} at the end" if view.values.size else ""
    label = f"{name} of {selection.service}{latest}"
    return _render("chart", Markup(picture), label, width, view.sentence)


def _render(part: str, *arguments: Any) -> str:
    return str(render_macro("explorer.html.j2", part, *arguments))
