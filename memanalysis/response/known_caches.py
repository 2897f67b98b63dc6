"""Which caches may be emptied in anybody's process without harm: those that are filled again, or that nobody needs.

Nothing is imported for it: a library that the process has not loaded has no cache. What stays: lines that no file
holds (notebook cells, generated code), the last three results of a notebook, and figures that somebody may see.
"""

import linecache
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["find_known_caches"]

KEPT_OUTPUTS = 3
"""Results of a notebook that stay: they are also called ``_``, ``__`` and ``___``."""

UNSEEN_BACKENDS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
"""Backends of matplotlib that draw into files alone."""

_STORED_EXCEPTION = ("last_exc", "last_value", "last_type", "last_traceback")


def find_known_caches() -> Iterator[tuple[str, Callable[[], object]]]:
    """Give the caches of this process that hold something, each with what empties it."""
    yield "compiled regular expressions", re.purge
    yield "lines of source files", _forget_source_lines
    shell = _find_shell()
    if shell is not None and len(shell.user_ns.get("_oh", ())) > KEPT_OUTPUTS:
        yield "results of earlier notebook cells", lambda: _forget_outputs(shell)
    if any(hasattr(sys, name) for name in _STORED_EXCEPTION):
        yield "the last traceback", lambda: _forget_traceback(shell)
    if _find_unseen_figures():
        yield "figures of matplotlib", _close_figures
    if "pyarrow" in sys.modules:
        yield "free memory of pyarrow", _release_arrow_pool
    if _uses_accelerator():
        yield "free memory of torch", _release_torch_memory


def _forget_source_lines() -> None:
    for name, entry in list(linecache.cache.items()):
        is_from_file = (
            len(entry) == 4 and entry[1] is not None
        )  # (size, mtime, lines, path); generated code has no mtime
        if is_from_file:
            linecache.cache.pop(name, None)


def _find_shell() -> Any:
    """Return the running IPython; None without one."""
    module = sys.modules.get("IPython.core.interactiveshell")
    shell_type = getattr(module, "InteractiveShell", None)
    return shell_type.instance() if shell_type is not None and shell_type.initialized() else None


def _forget_outputs(shell: Any) -> None:
    names, outputs = shell.user_ns, shell.user_ns["_oh"]
    for number in sorted(outputs)[:-KEPT_OUTPUTS]:
        result = outputs.pop(number, None)
        if names.get(f"_{number}") is result:
            names.pop(f"_{number}", None)
            shell.user_ns_hidden.pop(f"_{number}", None)


def _forget_traceback(shell: Any) -> None:
    """Drop the exception that ended the last cell or command, with all that its frames hold."""
    error = getattr(sys, "last_value", None)
    for name in _STORED_EXCEPTION:
        if hasattr(sys, name):
            delattr(sys, name)
    if shell is None:
        return
    if getattr(shell.InteractiveTB, "tb", None) is not None:
        shell.InteractiveTB.tb = None
    last = getattr(shell, "last_execution_result", None)
    if getattr(last, "error_in_exec", None) is error and isinstance(error, BaseException):
        error.__traceback__ = None


def _find_unseen_figures() -> list[int]:
    """Return the numbers of figures that pyplot holds and nobody sees, but for the one that is being drawn."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    matplotlib = sys.modules.get("matplotlib")
    if pyplot is None or matplotlib is None or matplotlib.get_backend().lower() not in UNSEEN_BACKENDS:
        return []
    numbers: list[int] = pyplot.get_fignums()
    return [number for number in numbers if number != pyplot.gcf().number] if numbers else []


def _close_figures() -> None:
    for number in _find_unseen_figures():
        sys.modules["matplotlib.pyplot"].close(number)


def _release_arrow_pool() -> None:
    sys.modules["pyarrow"].default_memory_pool().release_unused()


def _uses_accelerator() -> bool:
    """Whether torch holds memory of a graphics card in this process."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda is not None and bool(cuda.is_initialized())


def _release_torch_memory() -> None:
    sys.modules["torch"].cuda.empty_cache()
