"""Make tracing under IPython bearable: it is slow there, for the reason below.

For every allocation tracemalloc asks each frame of the traceback for its line, and CPython answers by walking through
the line table of the function from its start. The functions of IPython that run a cell are long, stand in the traceback
of everything that a cell allocates, and nobody wants their lines: they made a loop of small allocations some 150 times
slower where 20 times is what tracing itself costs (CPython 3.11, 8 frames a traceback). So a watched shell gets copies
of these functions that have the same instructions and no line table. A shell without such functions is left as it is.
"""

import types
from typing import Any

__all__ = ["CELL_TRACE_LIMIT", "lighten_frames", "restore_frames"]

CELL_TRACE_LIMIT = 8
"""Frames a traceback: the cell and seven calls below it. Further up stand the kernel's own long functions."""

_LONG_FUNCTIONS = ("run_ast_nodes", "run_cell_async", "_run_cell")
"""Never part of a traceback that IPython shows: those begin below, in ``run_code``."""


def lighten_frames(shell: Any) -> None:
    """Give this shell its own copies of IPython's long functions, without line tables; from the next cell on."""
    for name in _LONG_FUNCTIONS:
        method = getattr(shell, name, None)
        if name in vars(shell) or not isinstance(method, types.MethodType):
            continue
        if isinstance(method.__func__, types.FunctionType):
            setattr(shell, name, types.MethodType(_copy_without_lines(method.__func__), shell))


def restore_frames(shell: Any) -> None:
    """Take the copies away again: IPython's own functions stand behind them."""
    for name in _LONG_FUNCTIONS:
        vars(shell).pop(name, None)


def _copy_without_lines(function: types.FunctionType) -> types.FunctionType:
    copy = types.FunctionType(
        function.__code__.replace(co_linetable=b""),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__doc__ = function.__doc__
    copy.__wrapped__ = function  # type: ignore[attr-defined]
    return copy
