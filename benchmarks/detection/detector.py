"""Any detector of leaks, named ``module:function``, on the same series as ours.

A detector is a function of ``times`` (seconds, rising) and ``values`` (bytes), two arrays of float of one length. It
returns True for a leak, or a score between 0 and 1: from 0.5 on it is a leak.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.simulated import Series, judge_all
from memanalysis.analysis.arrays import FloatArray

__all__ = ["MIN_SCORE", "Detector", "Judge", "judge_by", "judge_by_engine", "load_detector"]

Detector = Callable[[FloatArray, FloatArray], bool | float]
Judge = Callable[[list[Series]], NDArray[np.bool_]]

MIN_SCORE = 0.5
"""From this score on a detector calls a series a leak."""


def load_detector(name: str) -> Detector:
    """Return the function that ``module:function`` names; modules of the current folder are found too.

    Raises
    ------
    ValueError
        The name has no colon.
    TypeError
        The module has no such function.
    """
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"A detector is named module:function, but got {name!r}.")
    sys.path.insert(0, str(Path.cwd()))
    found: Any = getattr(import_module(module), function, None)
    if not callable(found):
        raise TypeError(f"There is no function {function!r} in {module!r}.")
    return found  # type: ignore[no-any-return]  # what it returns shows when it is called


def judge_by(detector: Detector) -> Judge:
    """Return what judges a list of series by a detector, one by one."""

    def judge(series: list[Series]) -> NDArray[np.bool_]:
        return np.array([float(detector(times, values)) >= MIN_SCORE for times, values in series], dtype=bool)

    return judge


def judge_by_engine(series: list[Series]) -> NDArray[np.bool_]:
    """Return which series the verdict of memanalysis calls a leak."""
    leaks: NDArray[np.bool_] = judge_all(series)["is_leak"].astype(bool)
    return leaks
