"""When is the engine that judges leaks loaded? Before tracing; under it with a warning, or not at all.

The engine brings numpy. While tracemalloc follows 25 frames of every allocation, importing it takes many seconds, and
its memory would count as growth of the program. So whoever will want a judgement later loads the engine first.
"""

import logging
import sys
import tracemalloc
from importlib import import_module

__all__ = ["load_engine"]

_ENGINE = "memanalysis.detection.judge"
_LOGGER = logging.getLogger(__name__)


def load_engine(*, under_tracing: bool = True) -> bool:
    """Load the engine, if it is not loaded yet; True when it is loaded afterwards.

    Parameters
    ----------
    under_tracing : bool
        Whether to load it while tracemalloc traces, which a warning tells of: as whoever is asked for a judgement must.
        Where it is only made ready for later, False leaves it.
    """
    if _ENGINE in sys.modules:
        return True
    if tracemalloc.is_tracing():
        if not under_tracing:
            return False
        _LOGGER.warning(
            "Loading numpy while tracemalloc traces can take many seconds. "
            "Make the detector, or import memanalysis.detection.judge, before tracing starts."
        )
    import_module(_ENGINE)
    return True
