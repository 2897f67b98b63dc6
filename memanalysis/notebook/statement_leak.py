"""Does a statement leak? It is repeated as `find_leak` repeats a call: what ``%memwatch leak`` shows."""

import ast
import inspect
from types import FunctionType
from typing import Any

from memanalysis.capture.notebook_cells import register_cell
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import InvalidArgumentError
from memanalysis.leaktest.find_leak import find_leak
from memanalysis.leaktest.finding import LeakFinding

__all__ = ["find_statement_leak"]

MIN_RUNS = 16
"""Fewer runs show nothing: `find_leak` asks for as many."""

register_wrapper_frame(__file__)


def find_statement_leak(
    shell: Any, statement: str, *, label: str, caller: str, max_calls: int | None = None, max_s: float | None = None
) -> LeakFinding:
    """Repeat a statement in the notebook's namespace until it is known whether each run keeps memory.

    ``label`` is the cell that it is typed in, as its lines are named. ``caller`` is the file that calls this: its frame
    stands below the statement, as a wrapper frame.

    Raises
    ------
    InvalidArgumentError
        The statement is no Python, or a bound is too small.
    """
    if max_calls is not None and max_calls < MIN_RUNS:
        raise InvalidArgumentError(f"%memwatch leak needs -n of at least {MIN_RUNS}, but got {max_calls}. Pass more.")
    filename = f"<memwatch leak in {label}>"
    try:
        code = compile(
            shell.transform_cell(statement),
            filename,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
    except SyntaxError as exc:
        raise InvalidArgumentError(f"%memwatch leak needs Python, but {statement!r} is none: {exc.msg}.") from None
    if code.co_flags & inspect.CO_COROUTINE:
        raise InvalidArgumentError(
            "%memwatch leak cannot await in a notebook, where a loop runs already. "
            "Use: await asyncio.to_thread(memanalysis.find_leak, function)."
        )
    register_wrapper_frame(caller)
    register_cell(filename, label)
    repeated = FunctionType(code, shell.user_ns)  # no function of ours stands between find_leak and the statement
    repeated.__qualname__ = statement
    bounds: dict[str, Any] = {"max_calls": max_calls, "max_s": max_s}
    return find_leak(repeated, **{name: bound for name, bound in bounds.items() if bound is not None})
