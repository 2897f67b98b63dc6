"""Show the memory of this process while it goes on, in a notebook: redrawn every second, with buttons.

The picture is drawn from a thread, so it moves while a cell runs; buttons answer between cells, as Jupyter delivers
their messages then. The thread ends when the output is deleted, with ``close()`` and with the kernel.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets

from memanalysis._html import render_macro
from memanalysis._tables import render_text_table
from memanalysis._text import make_printable
from memanalysis.errors import InvalidArgumentError, MemAnalysisError
from memanalysis.policy.model import AutoCleanupPolicy
from memanalysis.policy.policy_source import PolicySource
from memanalysis.reports.styles import render_styles
from memanalysis.reports.verdict_cells import SEVERITY_MARKS
from memanalysis.response.cleanup import Cleanup
from memanalysis.units import format_bytes
from memanalysis.verdicts.engine_loading import load_engine
from memanalysis.watcher.growing_lines import GrowingLine
from memanalysis.watcher.recorder import Recorder
from memanalysis.watcher.watch import watch
from memanalysis.widgets.dashboard_view import DashboardView, read_dashboard_view
from memanalysis.widgets.live_chart import draw_live_chart
from memanalysis.widgets.redraw_thread import PERIOD_S, RedrawThread
from memanalysis.widgets.static_view import join_parts

__all__ = ["Dashboard", "DashboardSource", "dashboard"]

DEFAULT_SERVICE = "notebook"

LINES_EVERY_S = 5.0
"""Between two readings of the growing lines."""

GONE_FOR_S = 3.0
"""Without any view for this long, the output is deleted: a cell that is moved is shown again at once."""


_own: "list[Dashboard]" = []
"""The last dashboard with a recorder of its own. The next one takes its place, because a process has one sampler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSource:
    """What a dashboard shows, and what its buttons do.

    Parameters
    ----------
    read : callable
        Gives the recorder, or None while nothing is watched.
    start, stop : callable
        Start and stop to watch.
    read_budget_bytes : callable
        Gives a budget beside those of the policy, or None.
    is_own : bool
        Whether the recorder ends with the dashboard.
    """

    read: Callable[[], Recorder | None]
    start: Callable[[], object]
    stop: Callable[[], object]
    read_budget_bytes: Callable[[], float | None] = lambda: None
    is_own: bool = False


def dashboard(recorder: Recorder | None = None, *, policy: PolicySource = None) -> "Dashboard":
    """Show the memory of this process while it goes on, in a notebook.

    Parameters
    ----------
    recorder : Recorder, optional
        What `watch` gave. Without one the dashboard watches this process itself, keeps nothing on disk, and stops when
        its output is deleted or the next such dashboard is made.
    policy : path, mapping or Policy, optional
        Budgets and thresholds of the dashboard's own recorder; a recorder that is given has its own.

    Returns
    -------
    Dashboard
        A widget. It is redrawn every second once it is shown.

    Raises
    ------
    InvalidArgumentError
        Both a recorder and a policy.
    PolicyError
        The policy is broken.

    See Also
    --------
    memanalysis.explore : The same of a ledger, after the fact.
    memanalysis.watch : What records.

    Examples
    --------
    >>> import memanalysis
    >>> shown = memanalysis.dashboard(policy={"memory_budgets": {"global": {"max_memory_mb": 4096}}})
    >>> shown.recorder.status().running
    True
    >>> shown.close()
    >>> shown.recorder.status().running
    False
    """
    if recorder is not None:
        if policy is not None:
            raise InvalidArgumentError(
                "dashboard needs a recorder or a policy, but got both. Give the policy to watch(), which made the "
                "recorder."
            )
        return Dashboard(DashboardSource(read=lambda: recorder, start=recorder.start, stop=recorder.stop))
    load_engine(under_tracing=True)
    while _own:
        _own.pop().end()
    own = watch(DEFAULT_SERVICE, policy=policy)
    own.settings = replace(own.settings, ledger=None)
    own.start()
    _own.append(Dashboard(DashboardSource(read=lambda: own, start=own.start, stop=own.stop, is_own=True)))
    return _own[-1]


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]
    """Verdict, figures, picture, buttons, growing lines and events of a run that goes on.

    Parameters
    ----------
    source : DashboardSource
        What is shown.
    """

    def __init__(self, source: DashboardSource, *, period_s: float = PERIOD_S) -> None:
        self._source = source
        self._recorder: Recorder | None = None
        self._lines: list[GrowingLine] = []
        self._lines_read_at = float("-inf")
        self._view: DashboardView | None = None
        self._gone_since: float | None = None
        self._is_closed = False
        self._drawing = threading.RLock()
        self._redraw = RedrawThread(self._draw_if_shown, period_s=period_s)
        self.head, self.picture, self.lines, self.events, self.answer = (ipywidgets.HTML() for _ in range(5))
        self.start_button = self._make_button("Start", "play", "Start to watch", self._start)
        self.stop_button = self._make_button("Stop", "stop", "Stop watching", self._stop)
        self.collect_button = self._make_button(
            "Collect", "recycle", "Collect garbage and show what it freed", self._collect
        )
        self.clean_button = self._make_button(
            "Clean", "eraser", "Collect garbage, run the registered hooks and empty the caches", self._clean
        )
        self.mark_text = ipywidgets.Text(
            placeholder="name of this moment",
            description="Mark",
            tooltip="Name of the mark that is drawn into the picture",
            layout={"width": "260px", "max_width": "100%"},
            style={"description_width": "40px"},
        )
        self.mark_button = self._make_button("Mark", "flag", "Note this moment in picture and ledger", self._mark)
        buttons = [self.start_button, self.stop_button, self.collect_button, self.clean_button]
        super().__init__(
            [
                self.head,
                self.picture,
                ipywidgets.HBox(
                    [*buttons, ipywidgets.HBox([self.mark_text, self.mark_button], layout={"flex_flow": "row wrap"})],
                    layout={"flex_flow": "row wrap"},
                ),
                self.answer,
                self.lines,
                self.events,
            ],
            _view_count=0,
        )
        self.observe(self._handle_view_count, names="_view_count")
        self.draw()

    @property
    def recorder(self) -> Recorder | None:
        """The recorder that is shown, also after it was stopped; None where nothing was watched yet."""
        self._recorder = self._source.read() or self._recorder
        return self._recorder

    @property
    def is_drawing(self) -> bool:
        """Whether the picture is redrawn."""
        return self._redraw.is_running

    def draw(self) -> None:
        """Draw what is known now."""
        with self._drawing:
            self._draw()

    def _draw(self) -> None:
        recorder = self.recorder
        is_on = _is_running(self._source.read())
        self.start_button.disabled = is_on
        self.stop_button.disabled = self.mark_button.disabled = not is_on
        if recorder is None:
            self.head.value = _render("head", render_styles(), "Not watching.", "unknown", "", "Press Start.", [])
            return
        now = time.monotonic()
        if is_on and now - self._lines_read_at >= LINES_EVERY_S:
            self._lines, self._lines_read_at = recorder.growing_lines(), now
        self._view = view = read_dashboard_view(recorder, self._lines, budget_bytes=self._source.read_budget_bytes())
        mark = SEVERITY_MARKS[view.severity]
        self.head.value = _render("head", render_styles(), view.state, view.severity, mark, view.sentence, view.figures)
        self.picture.value = str(draw_live_chart(view.chart))
        self.lines.value = _render("listed", "Growing lines", view.lines, view.no_lines)
        self.events.value = _render("listed", "Events", view.events, "" if view.events.rows else "None yet.")

    def end(self) -> None:
        """End the thread, and the recorder if it is the dashboard's own; what was drawn last stays."""
        self._redraw.stop()
        if self._source.is_own and _is_running(self._source.read()):
            self._source.stop()
        if not self._is_closed:
            self.draw()

    def close(self) -> None:
        """End the thread, and the recorder if it is the dashboard's own; close the widgets."""
        if self._is_closed:
            return
        self._is_closed = True
        self.end()
        if self in _own:
            _own.remove(self)
        for part in _list_parts(self):
            part.close()
        super().close()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return what a front end is sent; one that asks for all of it was loaded again, and has no view yet."""
        if key is None:
            self._trait_values["_view_count"] = 0
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        return state

    def __repr__(self) -> str:
        return "<Dashboard>" if self._view is None else f"<Dashboard: {self._view.state}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        """Give the widget, and beside it what it shows as text and as HTML; being shown, it begins to move."""
        self.draw()
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/plain"] = self._render_text()
            bundle["text/html"] = join_parts([self.head.value, self.picture.value, self.lines.value, self.events.value])
            self._gone_since = None
            self._redraw.start()
        return bundle

    def _render_text(self) -> str:
        view = self._view
        if view is None:
            return "Nothing is watched."
        lines = [view.state, f"{view.severity}: {view.sentence}", *(f"{name}: {text}" for name, text in view.figures)]
        tables = [render_text_table(table) for table in (view.lines, view.events) if table.rows]
        return "\n".join(make_printable(line) for part in [*lines, *tables] for line in part.split("\n"))

    def _draw_if_shown(self) -> bool:
        """Draw; False once the output has been deleted for a while, and then the dashboard's own recorder stops."""
        if self._view_count:
            self._gone_since = None
        elif self._gone_since is not None and time.monotonic() - self._gone_since >= GONE_FOR_S:
            if self._source.is_own:
                self._source.stop()
            return False
        self.draw()
        return True

    def _handle_view_count(self, change: Any) -> None:
        if change["new"]:
            self._gone_since = None
            self._redraw.start()
        elif change["old"]:
            self._gone_since = time.monotonic()

    def _start(self) -> str:
        self._source.start()
        return "Watching."

    def _stop(self) -> str:
        self._source.stop()
        return "Stopped."

    def _mark(self) -> str:
        text = self.mark_text.value.strip() or "mark"
        recorder = self._source.read()
        if recorder is None or not recorder.mark(text):
            return "Nothing is watched, so nothing was marked."
        self.mark_text.value = ""
        return f"Marked: {text}"

    def _collect(self) -> str:
        return self._free(Cleanup(AutoCleanupPolicy(methods=("garbage_collection",))))

    def _clean(self) -> str:
        recorder = self._source.read()
        registered = None if recorder is None else recorder.cleanup
        return self._free(registered or Cleanup(AutoCleanupPolicy()))

    def _free(self, cleanup: Cleanup) -> str:
        results = cleanup.run().values()
        text = " ".join(f"{result.did} Freed {format_bytes(result.freed_bytes)}." for result in results)
        recorder = self._source.read()
        if recorder is not None:
            recorder.record_event("cleanup", message=text)
        return text

    def _make_button(self, name: str, icon: str, tooltip: str, action: Callable[[], str]) -> Any:
        button = ipywidgets.Button(description=name, icon=icon, tooltip=tooltip, layout={"width": "104px"})
        button.on_click(lambda _: self._press(action))
        return button

    def _press(self, action: Callable[[], str]) -> None:
        """Do what a button asks for, and show what came of it."""
        try:
            text = action()
        except MemAnalysisError as exc:
            text = str(exc)
        self.answer.value = _render("answer", text)
        self.draw()


def _is_running(recorder: Recorder | None) -> bool:
    return recorder is not None and recorder.status().running


def _list_parts(box: Any) -> list[Any]:
    """Every widget inside a box."""
    return [each for part in getattr(box, "children", ()) for each in (*_list_parts(part), part)]


def _render(part: str, *arguments: Any) -> str:
    return str(render_macro("dashboard.html.j2", part, *arguments))
