"""Which processes see the same memory, so that one of them alone alerts of it."""

import os
from contextlib import suppress
from pathlib import Path

from memanalysis.watcher.run_request import read_program_pid

__all__ = ["find_alert_group", "note_family"]

_roots: dict[str, int] = {}
"""By service: the process in which a recorder ran as this one, or one before it, was forked."""


def note_family(service: str, root_pid: int) -> None:
    """Note in a forked child that a process before it watches the service; the oldest counts."""
    _roots.setdefault(service, root_pid)


def find_alert_group(service: str, metric: str) -> str:
    """Return a name that all processes share whose memory counts against one budget.

    Parameters
    ----------
    service : str
        Whose budget.
    metric : str
        What counts against it: a word of ``BUDGET_METRICS``. Resident and private memory are of one process each.
    """
    host = os.uname().nodename if hasattr(os, "uname") else ""
    if metric == "container":
        with suppress(OSError):
            return f"{host} {Path('/proc/self/cgroup').read_text(encoding='utf-8', errors='replace')}"
    is_alone = metric in ("rss", "private")
    root = None if is_alone else read_program_pid() or _roots.get(service)
    return f"{host} {root or os.getpid()}"
