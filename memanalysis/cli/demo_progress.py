"""How far the demo's programs are: a bar of the time, and a bar of each program's memory beside its budget."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn

from memanalysis.cli.terminal import open_console
from memanalysis.units import MIB

if TYPE_CHECKING:
    from memanalysis.cli.programs import Program

__all__ = ["DemoProgress"]


class DemoProgress:
    """Draws on a terminal's standard error, and nowhere else; nothing of it stays.

    Parameters
    ----------
    programs : sequence of Program
        The running programs.
    seconds : float
        Time that they run for.
    budget_bytes : mapping of str to int
        Budget of each program by name.
    """

    def __init__(self, programs: "Sequence[Program]", seconds: float, budget_bytes: Mapping[str, int]) -> None:
        console = open_console(stderr=True)
        self._is_shown = console.is_terminal
        self._programs = programs
        self._seconds = seconds
        self._budget_bytes = budget_bytes
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
        )
        self._time = self._progress.add_task("time", total=seconds, detail="")
        self._tasks = {
            program.name: self._progress.add_task(program.name, total=budget_bytes[program.name], detail="")
            for program in programs
        }

    def __enter__(self) -> "DemoProgress":
        if self._is_shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._progress.stop()

    def tick(self, elapsed_s: float) -> None:
        """Show how far the programs are."""
        if not self._is_shown:
            return
        is_over = elapsed_s > self._seconds
        time = "sealing the ledger" if is_over else f"{elapsed_s:.0f} of {self._seconds:g} s"
        self._progress.update(self._time, completed=min(elapsed_s, self._seconds), detail=time)
        for program in self._programs:
            rss_bytes = program.read_rss_bytes()
            if rss_bytes:
                budget_bytes = self._budget_bytes[program.name]
                detail = f"{rss_bytes / MIB:.0f} MiB, budget {budget_bytes / MIB:.0f} MiB"
                self._progress.update(self._tasks[program.name], completed=rss_bytes, detail=detail)
            else:
                self._progress.update(self._tasks[program.name], completed=0, detail="ended")
