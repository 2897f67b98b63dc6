"""What happens when the recorder itself fails? To its host, nothing: it is logged once, counted, and written.

In the recorder's own thread that holds for ``SystemExit`` and ``KeyboardInterrupt`` as well. In a thread of the program
these two belong to the program: a signal handler that ends it may run amid a call of ours. Only a ``SystemExit`` that a
module raised while it was imported is contained there: a module of the program's stood in for one that we need.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from memanalysis.watcher.tick_loop import TickThread

__all__ = ["ErrorBoundary"]

_LOGGER = logging.getLogger("memanalysis")

_AT_THE_END = "at interpreter shutdown"
"""How Python 3.12 and later refuse a thread to a process that ends just as its recorder starts: nothing to report."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  compared with co_filename
_STANDARD_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
_OURS = (_PACKAGE + os.sep, _STANDARD_LIBRARY + os.sep, "<frozen importlib")


class ErrorBoundary:
    """The line that no error of a recorder crosses.

    Parameters
    ----------
    service : str
        Whose recorder it is, for the log.
    record_error : callable
        Writes an error into the ledger: what was being done, and the error as text. May fail in its turn.
    """

    def __init__(self, service: str, record_error: Callable[[str, str], None]) -> None:
        self.errors = 0
        self.last_error: str | None = None
        self._service = service
        self._record_error = record_error
        self._reported: set[tuple[str, type]] = set()

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Let no error out of the block; report each kind of error once for each thing that was being done."""
        try:
            yield
        except (Exception, SystemExit, KeyboardInterrupt) as exc:  # a recorder that fails must not fail its host
            if not _is_ours_to_contain(exc):
                raise
            self.errors += 1
            self.last_error = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            if (what, type(exc)) not in self._reported:
                self._reported.add((what, type(exc)))
                self._report(what, self.last_error)

    def note(self, what: str, error: str) -> None:
        """Count an error that was mended where it was found, and report it in the log."""
        self.errors += 1
        self.last_error = error
        _LOGGER.warning("memanalysis had to mend something (%s) while watching %r: %s", what, self._service, error)

    def _report(self, what: str, error: str) -> None:
        level = logging.DEBUG if _AT_THE_END in error else logging.WARNING
        _LOGGER.log(level, "memanalysis could not %s while watching %r, and goes on: %s", what, self._service, error)
        try:
            self._record_error(what, error)
        except Exception:  # the ledger may be the very thing that failed; the log has it
            _LOGGER.debug("The error could not be written to the ledger.", exc_info=True)


def _is_ours_to_contain(exc: BaseException) -> bool:
    if isinstance(exc, Exception) or isinstance(threading.current_thread(), TickThread):
        return True
    return isinstance(exc, SystemExit) and _comes_from_an_import(exc.__traceback__)


def _comes_from_an_import(trace: TracebackType | None) -> bool:
    """Return whether the first code that is neither ours nor Python's is the body of a module."""
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            return code.co_name == "<module>"
        trace = trace.tb_next
    return False
