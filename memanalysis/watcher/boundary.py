"""What happens when the recorder itself fails? To its host, nothing: it is logged once, counted, and written."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["HostBoundary"]

_LOGGER = logging.getLogger("memanalysis")


class HostBoundary:
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
        """Let no error out of the block; tell each kind of error once for each thing that was being done."""
        try:
            yield
        except Exception as exc:  # whatever it is: a recorder that fails must not fail its host
            self.errors += 1
            self.last_error = f"{type(exc).__name__}: {exc}"
            if (what, type(exc)) not in self._reported:
                self._reported.add((what, type(exc)))
                self._report(what, self.last_error)

    def note(self, what: str, error: str) -> None:
        """Count an error that was mended where it was found, and tell it in the log."""
        self.errors += 1
        self.last_error = error
        _LOGGER.warning("memanalysis had to mend something (%s) while watching %r: %s", what, self._service, error)

    def _report(self, what: str, error: str) -> None:
        _LOGGER.warning("memanalysis could not %s while watching %r, and goes on: %s", what, self._service, error)
        try:
            self._record_error(what, error)
        except Exception:  # the ledger may be the very thing that failed; the log has it
            _LOGGER.debug("The error could not be written to the ledger.", exc_info=True)
