"""Load the engine that judges leaks: before tracing, under tracing with a warning, or not at all.

The engine brings numpy. While tracemalloc follows 25 frames of every allocation, importing it takes many seconds, and
its memory would count as growth of the program. So whoever will want a judgement later loads the engine first.
"""

import logging
import sys
import tracemalloc
from importlib import import_module

from memanalysis.errors import MissingDependencyError

__all__ = ["ENGINE", "load_engine", "load_engine_beside_numpy"]

ENGINE = "memanalysis.analysis.series_verdict"
"""The module that brings the engine, and numpy with it."""

_PACKAGES = {"numpy", "pandas", "pyarrow"}
"""Absent where the recorder alone is installed."""

_LOGGER = logging.getLogger(__name__)


def load_engine(module: str = ENGINE, *, under_tracing: bool = True) -> bool:
    """Load the engine, if it is not loaded yet; True when it is loaded afterwards.

    Parameters
    ----------
    module : str
        What is imported: the engine, or a module on top of it.
    under_tracing : bool
        Whether to load it while tracemalloc traces, with a warning. Whoever needs a judgement now must. Where the
        engine is only prepared for later, False leaves it unloaded.

    Raises
    ------
    MissingDependencyError
        The recorder alone is installed.
    """
    if module in sys.modules:
        return True
    if tracemalloc.is_tracing():
        if not under_tracing:
            return False
        _LOGGER.warning(
            "Loading numpy while tracemalloc traces can take many seconds. Import %s before tracing starts.", module
        )
    try:
        import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name not in _PACKAGES:
            raise
        raise MissingDependencyError(
            f"A verdict needs {exc.name}, which is not installed. Run: pip install memanalysis"
        ) from exc
    return True


def load_engine_beside_numpy() -> bool:
    """Load the engine where the program has loaded numpy itself, and nothing traces; True when it is loaded then."""
    spec = getattr(sys.modules.get("numpy"), "__spec__", None)
    if spec is None or getattr(spec, "_initializing", False):  # so importlib marks a module that is being imported
        return False
    return load_engine(under_tracing=False)
