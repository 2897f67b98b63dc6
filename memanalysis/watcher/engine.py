"""Can the engine that judges leaks be loaded here without harm? Before tracing: yes. Under it: no.

The engine brings numpy. While tracemalloc follows 25 frames of every allocation, importing it
takes many seconds, and its memory would count as growth of the program. So whoever is about to start
tracing, and will want a judgement later, loads the engine first.
"""

import importlib
import sys
import tracemalloc

__all__ = ["load_engine"]

ENGINE = "memanalysis.detection.judge"


def load_engine() -> bool:
    """Load the engine; False, and nothing done, when tracing is on and it is not loaded yet."""
    if ENGINE not in sys.modules:
        if tracemalloc.is_tracing():
            return False
        importlib.import_module(ENGINE)
    return True
