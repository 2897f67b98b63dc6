"""How much memory the machine has."""

import os

__all__ = ["read_machine_bytes"]


def read_machine_bytes() -> int:
    """Return the memory of this machine, in bytes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        import psutil

        return int(psutil.virtual_memory().total)
