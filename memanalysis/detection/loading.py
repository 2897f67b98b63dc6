"""When the engine is loaded: with the first leak detector, and with a warning where that takes long."""

import logging
import sys
import tracemalloc
from importlib import import_module

__all__ = ["load_engine"]

_ENGINE = "memanalysis.detection.judge"
_LOGGER = logging.getLogger(__name__)


def load_engine() -> None:
    """Load numpy, if it is not loaded yet.

    A detector calls this when it is made. At its first question, its memory would count as growth of the process that
    is watched; and under tracing every line of its modules is looked up again and again.
    """
    if _ENGINE in sys.modules:
        return
    if tracemalloc.is_tracing():
        _LOGGER.warning(
            "Loading numpy while tracemalloc traces can take many seconds. "
            "Make the detector, or import memanalysis.detection.judge, before tracing starts."
        )
    import_module(_ENGINE)
