"""What the machine is called, and how much memory it has."""

import os
import sys

__all__ = ["read_machine_bytes", "read_system"]


def read_machine_bytes() -> int:
    """Return the memory of this machine, in bytes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        import psutil

        return int(psutil.virtual_memory().total)


def read_system() -> tuple[str, str | None]:
    """Return the operating system in a few words, and the host's name."""
    if hasattr(os, "uname"):
        uname = os.uname()
        return f"{uname.sysname} {uname.release} {uname.machine}", uname.nodename
    return sys.platform, os.environ.get("COMPUTERNAME")
