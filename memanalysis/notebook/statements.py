"""Be called before and after each statement of a cell, at its top level.

IPython compiles and runs every statement of a cell by itself (``run_ast_nodes`` calls ``run_code`` for each), so a
stand-in for ``run_code`` of this one shell stands at their boundaries. It costs nothing inside a statement, and the
code of the cell stays what it is.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

from memanalysis.capture.wrapper_frames import register_wrapper_frame

__all__ = ["StatementHook", "first_line", "pass_through"]

register_wrapper_frame(__file__)


class StatementHook:
    """Stands before ``run_code`` of one shell from ``attach`` to ``detach``."""

    def __init__(self, shell: Any, *, before: Callable[[CodeType], None], after: Callable[[], None]) -> None:
        self._shell = shell
        self._before = before
        self._after = after
        self._is_attached = False
        self._stand_in: Any = None
        self._replaced: Any = None
        self.error: Exception | None = None

    def attach(self) -> None:
        """Begin with the statement after the one that runs now; nothing where the shell has no ``run_code``."""
        run_code = getattr(self._shell, "run_code", None)
        if run_code is None:
            return

        async def run_statement(code: CodeType, *arguments: Any, **options: Any) -> Any:
            self._call(self._before, code)
            try:
                return await run_code(code, *arguments, **options)
            finally:
                self._call(self._after)

        self._replaced = vars(self._shell).get("run_code")
        self._stand_in = self._shell.run_code = run_statement
        self._is_attached = True

    def detach(self) -> None:
        """Take the stand-in away, or let it pass everything on where somebody stands before it."""
        self._is_attached = False
        if self._stand_in is not None and vars(self._shell).get("run_code") is self._stand_in:
            del self._shell.run_code
            if self._replaced is not None:
                self._shell.run_code = self._replaced
        self._stand_in = self._replaced = None

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._is_attached:
            try:
                function(*arguments)
            except Exception as exc:
                self._is_attached = False
                self.error = exc


def pass_through(filename: str) -> None:
    """Count what is allocated beyond a module of ours, which calls the cell's code, as the cell's."""
    register_wrapper_frame(filename)


def first_line(code: CodeType) -> int:
    """Return the line at which a compiled statement begins.

    Examples
    --------
    >>> first_line(compile("x = [1]", "<cell>", "exec"))
    1
    """
    return min((line for _, _, line in code.co_lines() if line), default=code.co_firstlineno)
