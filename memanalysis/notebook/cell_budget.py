"""Hold the cells of a notebook to a memory budget: of the session, and of one cell.

A cell that goes over it ends with `MemoryBudgetExceeded`, as with an error of its own, and the kernel lives. A cell
that begins above the session's budget may run and use a little more: it may be the one that frees memory.
"""

from types import TracebackType
from typing import Any

from memanalysis.errors import InvalidArgumentError, MemoryBudgetExceeded
from memanalysis.notebook.cell_record import find_cell_line
from memanalysis.units import format_bytes
from memanalysis.watcher.budget_block import convert_error, cut_own_frames, describe_breach, parse_limit
from memanalysis.watcher.budget_guard import BudgetInterrupt, GuardedBlock, guard

__all__ = ["CellBudget"]

ALLOWANCE_SHARE = 0.05
"""Share of the session's budget that a cell may add which begins above it."""


class CellBudget:
    """The budgets of one shell; without one nothing is done."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._session_bytes: int | None = None
        self._label = ""
        self._blocks: list[GuardedBlock] = []
        self._error: MemoryBudgetExceeded | None = None
        self._handlers: tuple[Any, Any] | None = None

    @property
    def session_bytes(self) -> int | None:
        """The budget of all cells; None without one."""
        return self._session_bytes

    def set_session(self, words: list[str]) -> str:
        """Set the budget of all cells from the next one on, or show it; gives the sentence to show.

        Parameters
        ----------
        words : list of str
            Nothing, ``off`` or a size, which may be two words.

        Raises
        ------
        InvalidArgumentError
            No size, or one below what the process holds.
        """
        if words == ["off"]:
            self._session_bytes = None
        elif words:
            limit_bytes = parse_limit(" ".join(words), call="%memwatch budget")
            _check_above_use(limit_bytes, call="%memwatch budget")
            self._session_bytes = limit_bytes
        if self._session_bytes is None:
            return "No memory budget. %memwatch budget 2GiB sets one for every cell from the next one on."
        return (
            f"Memory budget: {format_bytes(self._session_bytes)} of resident memory. A cell that goes over it is "
            "interrupted, and the kernel lives. %memwatch budget off ends it."
        )

    def begin(self, label: str) -> str | None:
        """Begin to watch a cell, where the session has a budget; gives a sentence where it begins above that."""
        self._label, self._error = label, None
        if self._session_bytes is None:
            return None
        limit_bytes = self._session_bytes
        rss_bytes = guard.read_rss_bytes(limit_bytes=limit_bytes) or 0
        if rss_bytes < limit_bytes:
            self._add(limit_bytes)
            return None
        self._add(rss_bytes + int(ALLOWANCE_SHARE * limit_bytes))
        more = format_bytes(ALLOWANCE_SHARE * limit_bytes)
        return (
            f"memwatch: {format_bytes(rss_bytes)} are resident, above the budget of {format_bytes(limit_bytes)}. "
            f"{label} may use {more} more."
        )

    def limit_cell(self, size: str) -> None:
        """Give the cell that runs a budget of its own.

        Raises
        ------
        InvalidArgumentError
            No size, or one below what the process holds.
        """
        limit_bytes = parse_limit(size, call="%%memwatch --budget")
        _check_above_use(limit_bytes, call="%%memwatch --budget")
        self._add(limit_bytes)

    def end(self, result: Any) -> str | None:
        """End what holds for a cell; gives a sentence where the cell caught the interruption and went on."""
        blocks, self._blocks = self._blocks, []
        for block in reversed(blocks):
            guard.remove(block)
        if not blocks:
            return None
        if self._handlers is not None:
            self._shell.custom_exceptions, self._shell.CustomTB = self._handlers
            self._handlers = None
        if self._error is None:
            caught = [block.error for block in blocks if block.error is not None]
            return f"memwatch: {caught[0]}" if caught else None
        if result is not None and result.error_in_exec is not None:
            result.error_in_exec = self._error
        self._error = None
        return None

    def _add(self, limit_bytes: int) -> None:
        label = self._label
        block = GuardedBlock(
            limit_bytes,
            is_running=lambda frame: find_cell_line(frame, label) is not None,
            describe=lambda frame, rss: describe_breach(frame, limit_bytes=limit_bytes, rss_bytes=rss),
        )
        self._show_as_budget_error()
        self._blocks.append(block)
        guard.add(block)

    def _show_as_budget_error(self) -> None:
        """Have the shell show the error of the budget in place of what interrupted the cell."""
        if self._handlers is None:
            self._handlers = self._shell.custom_exceptions, self._shell.CustomTB
            self._shell.custom_exceptions = (BudgetInterrupt, MemoryError, *self._handlers[0])
            self._shell.CustomTB = self._show_error

    def _show_error(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: int | None = None
    ) -> Any:
        converted = (convert_error(block, error) for block in reversed(self._blocks))
        self._error = next((each for each in converted if each is not None), None)
        if self._error is not None:
            shown = type(self._error), self._error, cut_own_frames(trace)
            self._shell.showtraceback(shown, tb_offset=tb_offset)
        elif self._handlers is not None and isinstance(error, self._handlers[0]):
            return self._handlers[1](kind, error, trace, tb_offset)
        else:
            self._shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return None


def _check_above_use(limit_bytes: int, *, call: str) -> None:
    rss_bytes = guard.read_rss_bytes(limit_bytes=limit_bytes)
    if rss_bytes is not None and limit_bytes <= rss_bytes:
        raise InvalidArgumentError(
            f"{call} needs more than the {format_bytes(rss_bytes)} that the kernel holds already, but got "
            f"{format_bytes(limit_bytes)}. The budget is a level of the whole kernel's resident memory."
        )
