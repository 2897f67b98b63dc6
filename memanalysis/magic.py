"""The notebook's magics: ``%memwatch`` watches every cell, ``%%memwatch`` measures one.

A cell that begins with ``%%memwatch`` stays the very cell that IPython runs: an input transformer replaces only its
first line, by a call that starts the measurement, and the measurement ends when IPython says that the cell has ended.
So the result, the errors and their line numbers, ``await`` and the names that it defines are what they are without it.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from memanalysis.errors import MemAnalysisError
from memanalysis.notebook.cell_holders import find_result_holders, release
from memanalysis.notebook.measure import CellMeter
from memanalysis.notebook.memwatch_parser import WORDS, make_cell_parser, make_line_parser
from memanalysis.notebook.names import CellNames
from memanalysis.notebook.nested_cells import body_offset, forget_body, register_body
from memanalysis.notebook.net_sentences import describe_error_locals, describe_holders, describe_rebound
from memanalysis.notebook.plot import load_drawing
from memanalysis.notebook.session import NotebookSession, read_rss_text
from memanalysis.notebook.shell_frames import lighten_frames, restore_frames
from memanalysis.notebook.show import CellReport
from memanalysis.notebook.statements import pass_through

__all__ = ["MemwatchMagics", "load", "replace_first_line", "unload"]

pass_through(__file__)

REST_OF_CELL = "# the rest of this cell"
"""Body of the call that stands in for the first line of a ``%%memwatch`` cell."""

_display: Callable[[object], object] = display
_FIRST_LINE = re.compile(r"%%memwatch(?P<options>[ \t][^\n]*)?\n?")
_OTHER_MAGIC = re.compile(r"%%(?P<name>\w+)[ \t]*(?P<options>[^\n]*)\n?(?P<body>.*)", re.DOTALL)
_loaded: dict[int, "MemwatchMagics"] = {}


def load(shell: Any) -> None:
    """Register the magics with a shell; a second time changes nothing."""
    if id(shell) not in _loaded:
        magics = MemwatchMagics(shell)
        shell.register_magics(magics)
        magics.attach()
        _loaded[id(shell)] = magics


def unload(shell: Any) -> None:
    """Stop watching and take everything back that ``load`` did."""
    magics = _loaded.pop(id(shell), None)
    if magics is not None:
        magics.detach()
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop("memwatch", None)


def replace_first_line(lines: list[str]) -> list[str]:
    """Input transformer: the first line of a ``%%memwatch`` cell becomes the call that starts the measurement.

    The cell has its line numbers as before, unless another cell magic follows, which has to stand first.
    """
    match = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    if match is None or not "".join(lines[1:]).strip():
        return lines
    options = (match["options"] or "").strip()
    call = f"get_ipython().run_cell_magic('memwatch', {options!r}, {REST_OF_CELL!r})\n"
    other = _OTHER_MAGIC.fullmatch("".join(lines[1:]).lstrip("\n"))
    if other is None:
        return [call, *lines[1:]]
    arguments = ", ".join(repr(other[part] or "") for part in ("name", "options", "body"))
    return [call, f"get_ipython().run_cell_magic({arguments})\n"]


@magics_class
class MemwatchMagics(Magics):
    """``%memwatch`` and ``%%memwatch`` of one shell."""

    shell: Any

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._names = CellNames(shell)
        self._session = NotebookSession()
        self._depth = 0
        self._measured: tuple[int, CellMeter, int] | None = None
        self._labels: list[tuple[str, int]] = []

    def attach(self) -> None:
        """Listen to the shell: before each cell, after each cell, and to what is typed."""
        self._names.learn_all()
        lighten_frames(self.shell)
        self.shell.events.register("pre_run_cell", self._before_cell)
        self.shell.events.register("post_run_cell", self._after_cell)
        self.shell.input_transformers_cleanup.append(replace_first_line)

    def detach(self) -> None:
        """Stop listening, and stop what was started."""
        if self._session.is_on:
            self._session.stop()
        self.shell.events.unregister("pre_run_cell", self._before_cell)
        self.shell.events.unregister("post_run_cell", self._after_cell)
        self.shell.input_transformers_cleanup.remove(replace_first_line)
        restore_frames(self.shell)

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
            %memwatch off                    stop, and turn tracing off again

        Release what IPython holds::

            %memwatch release 3              forget Out[3], _3 and _
            %memwatch release                forget every Out, and the variables in the traceback of the last error

        Watching costs about a millisecond a cell: resident memory is read, nothing is followed. ``%%memwatch`` samples
        allocations, which hardly slows a cell down. ``--trace`` follows each allocation by tracemalloc: loops that make
        many small objects take some ten times as long, and so do imports. The ledger is a folder that
        ``memanalysis.open_ledger`` reads, also after the kernel was killed.
        """
        try:
            if cell is None:
                return self._run_line(line)
            return self._start_measuring(line, cell)
        except MemAnalysisError as exc:
            raise UsageError(str(exc)) from exc

    def _run_line(self, line: str) -> Any:
        options = make_line_parser().parse_line(line)
        word = options.word
        if word not in WORDS:
            raise UsageError(f"%memwatch has no {word!r}. It knows {', '.join(WORDS)}; see %memwatch? for examples.")
        if options.cells and word != "release":
            raise UsageError(f"%memwatch {word} takes no {options.cells[0]!r}. See %memwatch? for examples.")
        actions: dict[str, Callable[[Any], Any]] = {
            "on": self._turn_on,
            "off": lambda _: self._show_text(self._session.stop()),
            "status": lambda _: self._show_text(self._session.describe()),
            "report": lambda _: self._show_report(),
            "release": self._release,
        }
        return actions[word](options)

    def _turn_on(self, options: Any) -> None:
        self._show_text(
            self._session.start(
                ledger=options.ledger,
                service=options.service,
                interval_s=options.interval,
                trace=options.trace,
                verbose=options.verbose,
            )
        )

    def _show_report(self) -> None:
        report = self._session.report()
        if report is None:
            self._show_text("No cell was watched yet. %memwatch on watches every cell from the next one on.")
        else:
            _display(report)  # shown, not returned: Out would hold it

    def _release(self, options: Any) -> None:
        counts = None
        if options.cells:
            try:
                counts = [int(text) for text in options.cells]
            except ValueError:
                raise UsageError(
                    f"%memwatch release needs numbers, such as 3 for Out[3], but got {' '.join(options.cells)!r}."
                ) from None
        before = read_rss_text()
        gone = release(self.shell, counts)
        names = [f"Out[{count}]" for count in gone.outputs] + (["the last error"] if gone.error else [])
        what = ", ".join(names) or "nothing: IPython holds none of that"
        self._show_text(f"Released {what}. Resident memory: {before} before, {read_rss_text()} now.")

    def _start_measuring(self, line: str, cell: str) -> Any:
        options = make_cell_parser().parse_line(line)
        if cell.strip() != REST_OF_CELL:
            result = self.shell.run_cell(f"%%memwatch {line}\n{cell}")
            result.raise_error()
            return None
        if self._measured is not None:
            raise UsageError(
                "%%memwatch measures one cell at a time, and this one is inside a cell that is being measured."
            )
        label = self._labels[-1][0] if self._labels else f"In[{self.shell.execution_count}]"
        if getattr(self.shell, "kernel", None) is not None:  # a terminal shows text
            load_drawing()
        self._names.show_as_typed(label)
        register_body(label, body_offset(self._names.read_cell(label)))
        meter = CellMeter(label, shell=self.shell, max_frames=options.frames)
        self._measured = (self._depth, meter, options.top)
        meter.start()
        self._session.begin_again()
        self._stop_at_error(meter)
        return None

    def _stop_at_error(self, meter: CellMeter) -> None:
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
            self._session.before_cell(label, info.raw_cell, getattr(info, "cell_id", None) or info.raw_cell)

    def _after_cell(self, result: Any) -> None:
        depth, self._depth = self._depth, max(self._depth - 1, 0)
        if self._labels:
            self._labels.pop()
        line = self._session.after_cell(result) if depth <= 1 else None
        if self._measured is not None and self._measured[0] >= depth:
            self._finish_measuring(result)
        elif line:
            self._show_text(line)

    def _finish_measuring(self, result: Any) -> None:
        assert self._measured is not None  # noqa: S101 - the caller has checked
        (_, meter, top), self._measured = self._measured, None
        error = None if result is None else (result.error_in_exec or result.error_before_exec)
        vars(self.shell).pop("showtraceback", None)
        cost = replace(meter.stop(), succeeded=bool(result is not None and result.success))
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

    def _show_text(self, text: str) -> None:
        print(text)  # noqa: T201 - a magic talks to the person who typed it
