"""Explore a ledger in a notebook: pick a service, a run, a metric and a range of time, and see its verdict.

The range is judged again whenever it, or a threshold of the policy, is moved; two ranges can be compared.

The widget draws into itself: nothing of matplotlib's global state is used, and nothing is left when it is closed.
Everything that comes from the ledger is escaped.
"""

import re
from dataclasses import replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd

from memanalysis._html import render_macro
from memanalysis._text import make_printable
from memanalysis.errors import InvalidArgumentError
from memanalysis.reports.chart_records import SeriesChart
from memanalysis.reports.report_tables import verdict_table
from memanalysis.reports.styles import render_styles
from memanalysis.reports.verdict_cells import short_run_id
from memanalysis.units import format_bytes
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.recorded_limits import find_limits
from memanalysis.verdicts.sources import LedgerSource, PolicySource, resolve_ledger, resolve_policy
from memanalysis.widgets.explorer_export import EXPORT_FORMATS, make_data_address, make_export, name_export, read_format
from memanalysis.widgets.explorer_picture import describe_range, draw_explorer, make_change_table, make_explorer_chart
from memanalysis.widgets.explorer_view import (
    RunTables,
    View,
    compare_stretches,
    make_view,
    read_points,
    read_run_tables,
)
from memanalysis.widgets.number_controls import RangePicker
from memanalysis.widgets.run_rows import METRICS, RunRows, SampleRuns
from memanalysis.widgets.state import (
    Selection,
    choose_metric,
    choose_range,
    choose_run,
    choose_service,
    first_selection,
    list_choices,
)
from memanalysis.widgets.static_view import join_parts, render_view_text
from memanalysis.widgets.threshold_controls import ThresholdControls

__all__ = ["Explorer", "explore"]

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
        rules = resolve_policy(policy, call="explore")
        self._runs, self._events = SampleRuns(opened.samples), RunRows(opened.events)
        self._read_sites = cache(lambda: RunRows(opened.sites))
        self._path = opened.path
        self.selection = first_selection(self._runs)
        if self.selection is None:
            super().__init__([ipywidgets.HTML(_render("empty", render_styles(), opened.path))])
            return
        self._verdicts = assess(opened, policy=rules)
        self._is_updating = False
        self._length_s = 0.0
        self._compared = self.selection
        self._tables: RunTables | None = None
        self._view: View | None = None
        self._chart: SeriesChart | None = None
        self.service = _make_picker("Service", "Service of the ledger")
        self.run = _make_picker("Run", "Run of the service, from the oldest to the newest")
        self.metric = _make_picker("Metric", "What is drawn and judged")
        self.first = RangePicker("", "Range of the run that is drawn and judged", on_change=self._show_range)
        self.range_text = ipywidgets.HTML(layout={"flex": "1 0 280px"})
        self.is_comparing = ipywidgets.Checkbox(
            description="Compare with a second range", indent=False, tooltip="Show two ranges beside each other"
        )
        self.second = RangePicker("B", "Second range, which is compared with the first", on_change=self._show_second)
        self.thresholds = ThresholdControls(rules, on_change=self._redraw)
        self.picture, self.table, self.ledger = (ipywidgets.HTML() for _ in range(3))
        if len(self._verdicts) > 1:
            self.ledger.value = _render("ledger", verdict_table(self._verdicts))
        self.link = ipywidgets.HTML(layout={"flex": "1 1 260px"})
        exports = [self._make_export_button(form) for form in EXPORT_FORMATS]
        wrapped = {"flex_flow": "row wrap"}
        super().__init__(
            [
                ipywidgets.HBox([self.service, self.run, self.metric], layout=wrapped),
                ipywidgets.HBox([self.first, self.range_text], layout=wrapped),
                ipywidgets.HBox([self.is_comparing, self.second], layout=wrapped),
                self.thresholds,
                self.picture,
                self.table,
                self.ledger,
                ipywidgets.HBox([*exports, self.link], layout=wrapped),
            ]
        )
        self._show(self.selection)
        self.service.observe(self._on_service, names="value")
        self.run.observe(self._on_run, names="value")
        self.metric.observe(self._on_metric, names="value")
        self.is_comparing.observe(self._on_comparing, names="value")

    def __repr__(self) -> str:
        selected = self.selection
        return "<Explorer>" if selected is None else f"<Explorer of {make_printable(selected.service)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        """Give the widget, and beside it what it shows as text and as HTML, for where no widgets are."""
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/plain"] = self._render_text()
            bundle["text/html"] = join_parts(self._list_parts())
        return bundle

    def export(self, path: str | PathLike[str]) -> Path:
        """Write the samples of the range, its picture or the whole page; return where it is.

        Parameters
        ----------
        path : path
            Its ending names the format: ``.csv``, ``.png`` or ``.html``.

        Raises
        ------
        InvalidArgumentError
            Another ending, or an empty ledger.
        """
        target = Path(path)
        target.write_bytes(self._make_export(read_format(str(path))))
        return target

    def _make_export(self, form: str) -> bytes:
        if self._tables is None or self._chart is None:
            raise InvalidArgumentError("export needs samples, but the ledger has none yet. Record some first.")
        return make_export(
            form,
            tables=self._tables,
            selection=self._selected,
            chart=self._chart,
            parts=self._list_parts(),
            title=f"Memory of {make_printable(self._selected.service)}",
        )

    def _make_export_button(self, form: str) -> Any:
        button = ipywidgets.Button(
            description=form.upper(), icon="download", tooltip=f"Export the range as {form.upper()}",
            layout={"width": "96px"},
        )  # fmt: skip
        button.on_click(lambda _: self._show_link(form))
        return button

    def _show_link(self, form: str) -> None:
        content = self._make_export(form)
        name = name_export(self._selected, form)
        self.link.value = _render("link", name, make_data_address(content, form), format_bytes(len(content)))

    def _render_text(self) -> str:
        if self.selection is None or self._view is None:
            return f"No samples are in {make_printable(str(self._path))} yet."
        return render_view_text(self._view, stretch=describe_range(self._view), verdicts=self._verdicts)

    def _list_parts(self) -> list[str]:
        """What is shown, as HTML; the table has the styles of all."""
        shown = self.children if self.selection is None else (self.range_text, self.picture, self.table, self.ledger)
        return [part.value for part in shown]

    def _on_service(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_service(self._runs, self._selected, change["new"]))

    def _on_run(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_run(self._runs, self._selected, change["new"]))

    def _on_metric(self, change: Any) -> None:
        if self._is_reader_asking():
            self._show(choose_metric(self._runs, self._selected, change["new"]))

    def _on_comparing(self, change: Any) -> None:
        """Show both ranges; where the first is the whole run, it becomes what lies before the second."""
        if not self._is_reader_asking():
            return
        self.second.layout.display = None if change["new"] else "none"
        if change["new"] and self.first.slider.value == (0.0, self._length_s):
            self._show_range(0.0, self._compared.start_s)
        else:
            self._redraw()

    def _show_second(self, start_s: float, end_s: float) -> None:
        self._compared = choose_range(self._selected, start_s, end_s, length_s=self._length_s)
        self._set_ranges()
        self._redraw()

    @property
    def _selected(self) -> Selection:
        assert self.selection is not None  # noqa: S101 - the pickers exist only then
        return self.selection

    def _is_reader_asking(self) -> bool:
        """Whether a picker was moved by a hand, and not by us while we show a new selection."""
        return not self._is_updating

    def _show_range(self, start_s: float, end_s: float) -> None:
        """Show another range of the same run and metric: nothing else is read again."""
        self.selection = choose_range(self._selected, start_s, end_s, length_s=self._length_s)
        self._set_ranges()
        self._redraw()

    def _show(self, selection: Selection) -> None:
        before, self.selection = self._selected, selection
        choices = list_choices(self._runs, selection)
        is_new = self._tables is None or selection.service != before.service
        if self._tables is None or is_new or selection.run_id != before.run_id:
            self._tables = read_run_tables(self._runs, self._events, selection, read_sites=self._read_sites)
        tables = self._tables
        self._is_updating = True
        try:
            _set_options(self.service, [(make_printable(name), name) for name in choices.services], selection.service)
            _set_options(self.run, [(_name_run(run_id), run_id) for run_id in choices.run_ids], selection.run_id)
            _set_options(self.metric, [(METRICS[name], name) for name in choices.metrics], selection.metric)
            self.run.layout.display = None if len(choices.run_ids) > 1 else "none"
        finally:
            self._is_updating = False
        if is_new:
            highest = read_points(tables, selection)[1].max(initial=0.0)
            self.thresholds.show_service(
                selection.service,
                highest_bytes=float(highest),
                find_limits=lambda: find_limits(tables.samples, lambda: tables.events),
            )
        self._length_s = choices.length_s
        self._compared = replace(selection, start_s=self._length_s / 2, end_s=self._length_s)
        self._set_ranges()
        self._redraw()

    def _set_ranges(self) -> None:
        self.second.layout.display = None if self.is_comparing.value else "none"
        for picker, shown in ((self.first, self._selected), (self.second, self._compared)):
            picker.show(shown.start_s, shown.end_s, length_s=self._length_s)

    def _redraw(self) -> None:
        assert self._tables is not None  # noqa: S101 - there is a selection
        tables, judging = self._tables, self.thresholds.judging
        view, other, changes = make_view(tables, self._selected, judging), None, None
        shown = view.verdict
        if self.is_comparing.value:
            other = make_view(tables, self._compared, judging)
            changes = make_change_table(compare_stretches(tables, self._selected, self._compared))
            named = [each.verdict.assign(service=f"range {name}") for name, each in (("A", view), ("B", other))]
            shown = pd.concat(named, ignore_index=True)
        self._chart = make_explorer_chart(view, other)
        self._view = view
        self.range_text.value = _render("note", describe_range(view))
        self.picture.value = draw_explorer(self._chart, view, other)
        self.table.value = _render("verdicts", render_styles(), verdict_table(shown), changes)
        self.link.value = ""


def _make_picker(description: str, tooltip: str) -> Any:
    return ipywidgets.Dropdown(
        description=description, tooltip=tooltip, layout={"width": "400px", "max_width": "calc(100% - 4px)"},
        style={"description_width": "64px"},
    )  # fmt: skip


def _set_options(picker: Any, options: list[tuple[str, str]], value: str) -> None:
    if list(picker.options) != options:
        picker.options = options
    picker.value = value


def _name_run(run_id: str) -> str:
    """When it began and the last part of its id: ``11-22 16:55:48 7374c496``."""
    began = _BEGAN.match(run_id)
    if began is None:
        return make_printable(run_id) or "the only one"
    month, day, hour, minute, second = began.groups()
    return f"{month}-{day} {hour}:{minute}:{second} {short_run_id(run_id)}"


def _render(part: str, *arguments: Any) -> str:
    return str(render_macro("explorer.html.j2", part, *arguments))
