"""Load what judges snapshots: it brings numpy, so it is loaded before tracing starts."""

from memanalysis.verdicts.engine_loading import load_engine

__all__ = ["load_snapshot_engine"]

SNAPSHOT_VERDICT = "memanalysis.classes.snapshot_verdict"
"""The module by which the classes judge."""


def load_snapshot_engine(*, under_tracing: bool = True) -> bool:
    """Load the module by which the classes judge, as `load_engine` does; True when it is loaded afterwards.

    Parameters
    ----------
    under_tracing : bool
        Whether to load it while tracemalloc traces, with a warning.
    """
    return load_engine(SNAPSHOT_VERDICT, under_tracing=under_tracing)
