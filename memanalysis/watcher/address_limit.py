"""Refuse one huge allocation before it is made, while a budget holds: by the system's limit, and by the sampler.

Linux counts what a process maps for itself (``RLIMIT_DATA``, ``getrlimit(2)``), and refuses what goes beyond. Only the
soft limit is lowered and it follows the use, so what is already there never counts twice. Where a library is loaded
that ends the process when it is refused memory, nothing is lowered. What was freed and given back to the system stays
mapped, and is used again unhindered: the sampler refuses large blocks of Python and numpy that come from there too. On
other systems nothing is done.
"""

import contextlib
import os
import sys
from pathlib import Path

from memanalysis.capture import sampler

try:
    import resource
except ImportError:  # not a Unix
    resource = None  # type: ignore[assignment]

__all__ = ["AddressLimit", "parse_private_bytes"]

SLACK_SHARE = 0.08
"""Of the budget, beyond it: stacks of threads, and what is mapped and never touched."""

CEILING_SHARE = 1.05
"""Of the budget: the sampler refuses a block that would take resident memory above it. What fits is touched as a rule,
and the guard interrupts the code soon after."""

ABORTING_LIBRARIES = frozenset({"polars", "datafusion", "deltalake", "lance", "tokenizers"})
"""Written in Rust, whose allocator ends the process where others raise MemoryError."""

_STATM = Path("/proc/self/statm")
_AT_START = ("subprocess.Popen", "os.posix_spawn", "os.system", "os.exec", "os.spawn")


class AddressLimit:
    """The soft limit of private memory of this process, lowered or as it was, and the sampler's ceiling."""

    def __init__(self) -> None:
        self._original: tuple[int, int] | None = None
        self._soft = -1
        self._has_ceiling = self._has_hooks = False

    @property
    def is_lowered(self) -> bool:
        """Whether the system's limit is lowered now."""
        return self._original is not None

    @property
    def is_refusing(self) -> bool:
        """Whether an allocation may be refused now."""
        return self.is_lowered or (self._has_ceiling and sampler.is_running())

    def follow(self, *, limit_bytes: int, rss_bytes: int | None = None) -> None:
        """Set the limit so that private memory can grow as far as the budget, and a little.

        Resident memory, where it is not given, is read in one go with private memory: both may grow by a gigabyte a
        second.
        """
        self._add_hooks()
        self._has_ceiling = True
        sampler.refuse_above(int(CEILING_SHARE * limit_bytes))
        statm = "" if resource is None or sys.platform != "linux" else _read_statm()
        page_bytes = os.sysconf("SC_PAGE_SIZE") if statm else 1
        private_bytes = parse_private_bytes(statm, page_bytes=page_bytes)
        if rss_bytes is None and private_bytes is not None:
            rss_bytes = int(statm.split()[1]) * page_bytes
        if private_bytes is None or rss_bytes is None or not ABORTING_LIBRARIES.isdisjoint(sys.modules):
            self._restore_system()
            return
        wanted = private_bytes + max(0, limit_bytes - rss_bytes) + int(SLACK_SHARE * limit_bytes)
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if self._original is None or soft != self._soft:  # not lowered, or the program set another one
            self._original = soft, hard
        bounds = [bound for bound in (self._original[0], hard) if bound != resource.RLIM_INFINITY]
        self._soft = min([wanted, *bounds])
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (self._soft, hard))

    def restore(self) -> None:
        """Refuse nothing any more: set the limit as it was, unless the program has set another one."""
        if self._has_ceiling:
            self._has_ceiling = False
            sampler.refuse_above(None)
        self._restore_system()

    def _restore_system(self) -> None:
        original, self._original = self._original, None
        if original is not None:
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if soft == self._soft:
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(resource.RLIMIT_DATA, (original[0], hard))

    def _add_hooks(self) -> None:
        """Have the system's limit restored before a child starts: it is lowered again at the next reading."""
        if not self._has_hooks:
            self._has_hooks = True
            os.register_at_fork(after_in_child=self.restore)
            sys.addaudithook(self._on_audit)

    def _on_audit(self, event: str, _: object) -> None:
        if self._original is not None and event in _AT_START:
            self._restore_system()


def parse_private_bytes(statm: str, *, page_bytes: int) -> int | None:
    """Parse the sixth number of ``/proc/self/statm``, private memory in pages; None where it is no such text.

    Examples
    --------
    >>> parse_private_bytes("3143 2224 1472 1 0 1191 0", page_bytes=4096)
    4878336
    """
    fields = statm.split()
    return int(fields[5]) * page_bytes if len(fields) == 7 and fields[5].isdigit() else None


def _read_statm() -> str:
    try:
        return _STATM.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
