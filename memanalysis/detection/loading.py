"""When the engine is loaded: with the first leak detector, and with a warning where that takes minutes."""

import logging
import sys
import tracemalloc
from importlib import import_module

__all__ = ["load_engine"]

_ENGINE = "memanalysis.detection.judge"
_LOGGER = logging.getLogger(__name__)


def load_engine() -> None:
    """Load numpy and scipy, if they are not loaded yet.

    A detector calls this when it is made. At its first question, their memory would count as growth of the process that
    is watched; and under tracing every line of their modules is looked up again and again.
    """
    if _ENGINE in sys.modules:
        return
    if tracemalloc.is_tracing():
        _LOGGER.warning(
            "Loading numpy and scipy while tracemalloc traces can take minutes. "
            "Make the detector, or import memanalysis.detection.judge, before tracing starts."
        )
    import_module(_ENGINE)
