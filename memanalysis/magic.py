"""The notebook's magics: ``%memwatch`` watches every cell, ``%%memwatch`` measures one.

A cell that begins with ``%%memwatch`` stays the very cell that IPython runs: an input transformer replaces only its
first line, by a call that starts the measurement, and the measurement ends when IPython reports the end of the cell.
So the result, the errors and their line numbers, ``await`` and the names that it defines are what they are without it.

Loading the extension is felt at every start of a kernel, so a command loads what it needs when it is typed.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display

from memanalysis.errors import MemAnalysisError
from memanalysis.notebook.cell_notes import CellNotes
from memanalysis.notebook.measured_source import REST_OF_CELL, replace_first_line
from memanalysis.notebook.names import CellNames
from memanalysis.notebook.nested_cells import body_offset, forget_body, register_body
from memanalysis.notebook.session import NotebookSession
from memanalysis.notebook.shell_frames import lighten_frames, restore_frames
from memanalysis.notebook.statements import pass_through

if TYPE_CHECKING:
    from memanalysis.notebook.cell_budget import CellBudget
    from memanalysis.notebook.measure import CellMeter

__all__ = ["MemwatchMagics", "load", "unload"]

pass_through(__file__)

USER_FRAME = 2
"""Calls between the line that is typed and IPython's expansion of its ``{names}``: the magic, and what runs magics."""

_display: Callable[[object], object] = display
_loaded: dict[int, "MemwatchMagics"] = {}


def load(shell: Any) -> None:
    """Register the magics with a shell; a second time changes nothing."""
    if id(shell) not in _loaded:
        magics = MemwatchMagics(shell)
        shell.register_magics(magics)
        magics.attach()
        _loaded[id(shell)] = magics
        magics.show_last_death()


def unload(shell: Any) -> None:
    """Stop watching and take everything back that ``load`` did; ``%reload_ext`` leaves all as it is."""
    if _is_reloading():
        return
    magics = _loaded.pop(id(shell), None)
    if magics is not None:
        magics.detach()
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop("memwatch", None)


@magics_class
class MemwatchMagics(Magics):
    """``%memwatch`` and ``%%memwatch`` of one shell."""

    shell: Any

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._names = CellNames(shell)
        self._session = NotebookSession()
        self._budget: CellBudget | None = None
        self._depth = 0
        self._measured: tuple[int, CellMeter, int] | None = None
        self._labels: list[tuple[str, int]] = []
        self._notes = CellNotes()
        self._dashboards: list[Any] = []

    def attach(self) -> None:
        """Listen to the shell: before each cell, after each cell, and to what is typed."""
        self._names.learn_all()
        lighten_frames(self.shell)
        self.shell.events.register("pre_run_cell", self._before_cell)
        self.shell.events.register("post_run_cell", self._after_cell)
        self.shell.input_transformers_cleanup.append(replace_first_line)
        self._matcher = _make_matcher(self.shell)
        self.shell.Completer.custom_matchers.append(self._matcher)

    def show_last_death(self) -> None:
        """Show in which cell the last kernel died, once."""
        death = self._session.announce_death()
        if death:
            self._show_text(death)

    def detach(self) -> None:
        """Stop listening, and stop what was started."""
        while self._dashboards:
            self._dashboards.pop().close()
        if self._session.is_on:
            self._session.stop()
        self.shell.events.unregister("pre_run_cell", self._before_cell)
        self.shell.events.unregister("post_run_cell", self._after_cell)
        self.shell.input_transformers_cleanup.remove(replace_first_line)
        self.shell.Completer.custom_matchers.remove(self._matcher)
        restore_frames(self.shell)

    @no_var_expand  # done below: code is taken as it is typed
    @line_cell_magic
    def memwatch(self, line: str, cell: str | None = None) -> Any:
        """Watch the memory of every cell, or measure one.

        Measure one cell::

            %%memwatch
            rows = [str(number) for number in range(1_000_000)]

        shows how long the cell took, how high memory rose, which of its lines held it then (``In[3]:2``), and what
        they retain after garbage collection. The cell's result, errors and names are as without it. ``--top 20`` shows
        more lines.

        Watch all cells::

            %memwatch on                     one row a cell into ./memanalysis-ledger, quiet unless a cell retains much
            %memwatch on --verbose           one line after every cell
            %memwatch on --ledger runs/may --service training --interval 0.5
            %memwatch on --trace             follow Python's allocations too: names lines, and slows imports and loops
            %memwatch status                 is it on, since when, how much memory (also: %memwatch alone)
            %memwatch report                 the cells and the verdict so far
            %memwatch dashboard              the same live: picture, verdict, growing lines, events, buttons
            %memwatch off                    stop, and turn tracing off again

        Ask what the cells did::

            %memwatch log                    the cells as a DataFrame: time, peak, retained, net, line of the peak
            %memwatch diff In[3] In[7]       two of them beside each other
            %%memwatch -o result             the measured cell as an object; also memanalysis.cells[-1]

        Ask where memory is::

            %memwatch vars                   the variables by size
            %memwatch holders df             who keeps df alive; also of a type: %memwatch holders DataFrame
            %memwatch leak -n 200 f(x)       does each f(x) keep memory? Which line, and who holds it?

        Interrupt a cell that takes too much, in place of losing the kernel::

            %memwatch budget 2GiB            every cell from the next one on; %memwatch budget off ends it
            %%memwatch --budget 500MB        this cell: a level of the kernel's resident memory, not of the cell alone

        Release what IPython holds::

            %memwatch release 3              forget Out[3], _3 and _
            %memwatch release                forget every Out, and the variables in the traceback of the last error

        Load it everywhere::

            %memwatch install                in every notebook from its next start on; %memwatch uninstall undoes it

        Watching costs about a millisecond a cell: resident memory is read, nothing is followed. ``%%memwatch`` samples
        allocations, which hardly slows a cell down. ``--trace`` follows each allocation by tracemalloc: loops that make
        many small objects take some ten times as long, and so do imports. The ledger is a folder that
        ``memanalysis.open_ledger`` reads, also after the kernel was killed.
        """
        from memanalysis.notebook.memwatch_commands import COMMANDS

        try:
            command = COMMANDS.get(line.split()[0]) if line.strip() else None
            if command is None or not command.takes_statement:
                line = self.shell.var_expand(line, depth=USER_FRAME)
            if cell is None:
                return self._run_line(line)
            return self._start_measuring(line, cell)
        except MemAnalysisError as exc:
            raise UsageError(str(exc)) from exc

    def _run_line(self, line: str) -> Any:
        from memanalysis.notebook.cell_log import cells, compare_cells
        from memanalysis.notebook.holder_table import show_holders
        from memanalysis.notebook.line_answers import install_extension, release_results, uninstall_extension
        from memanalysis.notebook.memwatch_parser import parse_line, render_help
        from memanalysis.notebook.variable_table import show_variables

        help_text = render_help(line)
        if help_text is not None:
            return self._show_text(help_text.rstrip())
        options = parse_line(line)
        actions: dict[str, Callable[[Any], Any]] = {
            "on": self._turn_on,
            "off": lambda _: self._show_text(self._session.stop()),
            "status": lambda _: self._show_text(self._session.describe()),
            "report": lambda _: self._show_report(),
            "dashboard": lambda _: self._show_dashboard(),
            "release": lambda options: self._show_text(release_results(self.shell, options.cells)),
            "install": lambda _: self._show_text(install_extension(self.shell)),
            "uninstall": lambda _: self._show_text(uninstall_extension(self.shell)),
            "vars": lambda options: show_variables(self.shell, top=options.top),
            "holders": lambda options: show_holders(self.shell, options.name),
            "leak": self._find_leak,
            "log": lambda _: cells.to_frame(),
            "diff": lambda options: compare_cells(*map(cells.find, (options.first, options.second))),
            "budget": lambda options: self._show_text(self._find_budget().set_session(options.size)),
        }
        return actions[options.word](options)

    def _turn_on(self, options: Any) -> None:
        self._show_text(
            self._session.start(
                ledger=options.ledger,
                service=options.service,
                interval_s=options.interval,
                trace=options.trace,
                policy=options.policy,
                verbose=options.verbose,
            )
        )

    def _show_report(self) -> None:
        from memanalysis.notebook.cell_log import cells

        report = self._session.report(cells)
        if report is None:
            self._show_text("No cell was watched yet. %memwatch on watches every cell from the next one on.")
        else:
            _display(report)  # shown, not returned: Out would hold it

    def _show_dashboard(self) -> None:
        from memanalysis.widgets.session_dashboard import make_session_dashboard  # it loads ipywidgets and numpy

        text, dashboard = make_session_dashboard(self._session, self._find_budget(), self._dashboards)
        if text:
            self._show_text(text)
        _display(dashboard)

    def _find_leak(self, options: Any) -> Any:
        from memanalysis.notebook.statement_leak import find_statement_leak  # it loads numpy

        return find_statement_leak(
            self.shell,
            options.statement,
            label=self._read_label(),
            caller=__file__,
            max_calls=options.calls,
            max_s=options.seconds,
        )

    def _find_budget(self) -> "CellBudget":
        """Return what holds cells to a budget, made for the first one that is asked for."""
        if self._budget is None:
            from memanalysis.notebook.cell_budget import CellBudget

            self._budget = CellBudget(self.shell)
            self._budget.begin(self._read_label())
        return self._budget

    def _start_measuring(self, line: str, cell: str) -> Any:
        from memanalysis.notebook.measure import CellMeter
        from memanalysis.notebook.memwatch_commands import COMMANDS
        from memanalysis.notebook.memwatch_parser import make_cell_parser, render_help

        help_text = render_help(line, is_cell=True)
        if help_text is not None:
            return self._show_text(help_text.rstrip())
        first = line.split()[0] if line.strip() else ""
        if first in COMMANDS:
            raise UsageError(f"%%memwatch measures the cell below it. For {first} type %memwatch {line.strip()}.")
        options = make_cell_parser().parse_line(line)
        if cell.strip() != REST_OF_CELL:
            result = self.shell.run_cell(f"%%memwatch {line}\n{cell}")
            result.raise_error()
            return None
        if self._measured is not None:
            raise UsageError(
                "%%memwatch measures one cell at a time, and this one is inside a cell that is being measured."
            )
        label = self._read_label()
        if options.budget is not None:
            self._find_budget().limit_cell(options.budget)
        if getattr(self.shell, "kernel", None) is not None:  # a terminal shows text
            from memanalysis.notebook.plot import load_drawing

            load_drawing()
        self._names.show_as_typed(label)
        register_body(label, body_offset(self._names.read_cell(label)))
        meter = CellMeter(label, shell=self.shell, max_frames=options.frames)
        self._measured = (self._depth, meter, options.top)
        self._notes.output_name = options.output
        meter.start()
        self._session.begin_again()
        self._stop_at_error(meter)
        return None

    def _stop_at_error(self, meter: "CellMeter") -> None:
        """End the measurement before IPython shows an error: that parses sources, and is not the cell's doing."""
        depth, show = self._depth, self.shell.showtraceback

        def stop_and_show(*args: Any, **kwargs: Any) -> None:
            try:
                if self._depth == depth:
                    meter.stop()
            finally:
                show(*args, **kwargs)

        self.shell.showtraceback = stop_and_show

    def _before_cell(self, info: Any) -> None:
        self._depth += 1
        within = self._labels[-1][0] if self._labels and not info.store_history else None
        label = self._names.learn(info, within=within)
        self._labels.append((label, self._depth))
        if self._depth == 1:
            self._notes.begin(info.raw_cell)
            self._session.before_cell(label, info.raw_cell, getattr(info, "cell_id", None) or info.raw_cell)
            if self._budget is not None and (note := self._budget.begin(label)):
                self._show_text(note)

    def _after_cell(self, result: Any) -> None:
        depth, self._depth = self._depth, max(self._depth - 1, 0)
        label = self._labels.pop()[0] if self._labels else ""
        if depth <= 1 and self._budget is not None and (note := self._budget.end(result)):
            self._show_text(note)
        event = self._session.after_cell(result) if depth <= 1 else None
        if self._measured is not None and self._measured[0] >= depth:
            self._finish_measuring(result)
        elif event is not None and self._session.shows(event):
            self._show_text(event.render_line())
        if depth <= 1:
            record, finding = self._notes.end(label, event, result)
            if finding is not None:
                self._show_text(finding)
            if self._notes.output_name is not None:
                self.shell.user_ns[self._notes.output_name] = record

    def _finish_measuring(self, result: Any) -> None:
        assert self._measured is not None  # noqa: S101 - the caller has checked
        (_, meter, top), self._measured = self._measured, None
        error = None if result is None else (result.error_in_exec or result.error_before_exec)
        vars(self.shell).pop("showtraceback", None)
        cost = replace(meter.stop(), succeeded=bool(result is not None and result.success))
        from memanalysis.notebook.cell_holders import find_result_holders  # only now: it would be taken for the cell's
        from memanalysis.notebook.net_sentences import describe_error_locals, describe_holders, describe_rebound
        from memanalysis.notebook.show import CellReport

        self._notes.cost = cost
        forget_body()
        self._names.forget_body()
        shown = find_result_holders(
            self.shell,
            None if result is None else result.result,
            None if result is None else result.execution_count,
            retained_bytes=cost.retained_bytes,
        )
        hints = [
            shown,
            describe_error_locals(error, self.shell.user_ns),
            *describe_rebound(cost, self._names.read_code(cost.label), self.shell.user_ns),
            *describe_holders(cost, is_shown=shown is not None),
        ]
        _display(CellReport(cost, self._names, top=top, hints=[hint for hint in hints if hint]))

    def _read_label(self) -> str:
        """Label of the cell that runs."""
        return self._labels[-1][0] if self._labels else f"In[{self.shell.execution_count}]"

    def _show_text(self, text: str) -> None:
        print(text)  # noqa: T201 - a magic talks to the person who typed it


def _make_matcher(shell: Any) -> Any:
    """Return a matcher for IPython's completer, which knows ``%memwatch`` lines and nothing else."""

    @context_matcher(identifier="memanalysis.memwatch")  # type: ignore[untyped-decorator]
    def match_memwatch(context: CompletionContext) -> SimpleMatcherResult:
        from memanalysis.notebook.memwatch_completion import complete_line

        names = (name for name in shell.user_ns if not name.startswith("_") and name not in shell.user_ns_hidden)
        found = complete_line(context.line_with_cursor[: context.cursor_position], variables=sorted(names))
        completions = [SimpleCompletion(text=word, type="param") for word in found or ()]
        return SimpleMatcherResult(completions=completions, suppress=found is not None)

    return match_memwatch


def _is_reloading() -> bool:
    """Whether IPython unloads the extension only to load it again at once."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "reload_extension" and frame.f_globals.get("__name__") == "IPython.core.extensions":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
