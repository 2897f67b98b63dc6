"""What is drawn: records of a series with its fit, budgets and marks, and of lines of code. They draw nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from memanalysis.analysis.arrays import FloatArray

__all__ = ["Level", "SeriesChart", "SiteLine", "Span"]


@dataclass(frozen=True, slots=True)
class Level:
    """A budget that is drawn across a chart."""

    name: str
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that is shaded, in seconds; a breach of a budget, or a range that is compared."""

    name: str
    start_s: float
    end_s: float
    is_breach: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChart:
    """One series and what is drawn with it.

    Parameters
    ----------
    name : str
        What was measured; it is the title of the axis.
    elapsed_s, values : arrays of float, shape (n,)
        Seconds and bytes, without NaN.
    line_s, line_bytes : arrays of float, optional
        Fitted growth, or baselines, in the same units.
    line_name : str
        What that line is.
    window_s, window_bytes : arrays of float, optional
        Baselines of windows, drawn as points.
    levels : sequence of Level
        Budgets.
    marks : sequence of (float, str)
        Moments with a name, in seconds.
    spans : sequence of Span
        Stretches that are shaded.
    """

    name: str
    elapsed_s: FloatArray
    values: FloatArray
    line_s: FloatArray | None = None
    line_bytes: FloatArray | None = None
    line_name: str = ""
    window_s: FloatArray | None = None
    window_bytes: FloatArray | None = None
    levels: Sequence[Level] = ()
    marks: Sequence[tuple[float, str]] = ()
    spans: Sequence[Span] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """Bytes that one allocation site holds, snapshot by snapshot."""

    name: str
    elapsed_s: FloatArray
    values: FloatArray
