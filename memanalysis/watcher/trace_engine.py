"""Which engine finds the lines that hold memory: the sampler, tracing windows, tracemalloc all the time, or none."""

import tracemalloc
from dataclasses import dataclass
from typing import Literal

from memanalysis.capture.sampler import why_unavailable
from memanalysis.watcher.settings import TraceMode

__all__ = ["EngineName", "TraceEngine", "choose_engine"]

EngineName = Literal["sampled", "windows", "full", "off"]


@dataclass(frozen=True, slots=True)
class TraceEngine:
    """An engine, and why it is in use.

    Parameters
    ----------
    name : str
        sampled, windows, full or off.
    reason : str
        A sentence.
    """

    name: EngineName
    reason: str


def choose_engine(mode: TraceMode) -> TraceEngine:
    """Return the engine for a mode in this process, at this moment.

    ``auto`` and ``windows`` join tracing that runs already, which costs nothing more. Else ``auto`` samples where the
    compiled sampler is there, and traces in windows where it is not.

    Examples
    --------
    >>> choose_engine("off").name
    'off'
    """
    if mode in ("auto", "windows") and tracemalloc.is_tracing():
        return TraceEngine("full", "tracemalloc traces already, which is joined.")
    if mode in ("full", "off", "windows"):
        return TraceEngine(mode, "It was asked for.")
    missing = why_unavailable()
    if missing is not None:
        return TraceEngine("windows", f"The sampler is not there: {missing}.")
    return TraceEngine("sampled", "It was asked for." if mode == "sampled" else "The compiled sampler is there.")
