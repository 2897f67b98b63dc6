"""What does a process use right now? Each source is read once, as it is: unknown is None, never zero."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memanalysis.capture.snapshot import snapshot_sites

__all__ = ["snapshot_sites"]


def __getattr__(name: str) -> Any:
    """Import `snapshot_sites` at its first use: most of this package is used without it."""
    if name != "snapshot_sites":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from memanalysis.capture.snapshot import snapshot_sites

    return snapshot_sites
