"""The one sentence that a verdict says to a person. *Growth* is what was measured, *leak* only what was shown."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from memanalysis.analysis.series.resample import MIN_SAMPLES
from memanalysis.units import format_bytes, format_duration, format_growth, format_growth_interval

__all__ = ["describe_missing", "describe_responsible", "describe_series"]

_PLAIN = {
    "plateauing": "Rose and is levelling off, as a warm-up or a filling cache does: no leak was shown.",
    "stepped": "Changed in steps and kept still between them: no leak was shown.",
    "sawtooth": "Swings up and down and its floor does not rise: no leak was shown.",
    "shrinking": "Shrinks: no leak was shown.",
}


def describe_missing(columns: Mapping[str, Any]) -> list[str | None]:
    """What more each series needs before anything can be said; None where something is said."""
    needs = _rows(columns, ("shape", "n_samples", "windows", "judged_s"))
    return [_missing(*row[1:]) if row[0] == "inconclusive" else None for row in needs]


def describe_series(columns: Mapping[str, Any]) -> list[str]:
    """One sentence a series, from the columns of ``judge_batch``."""
    names = (
        "shape",
        "missing",
        "slope_bytes_per_s",
        "low_bytes_per_s",
        "high_bytes_per_s",
        "windows",
        "growth_bytes",
        "judged_s",
        "limit_bytes",
        "time_to_exhaustion_s",
    )
    return [_sentence(*row) for row in _rows(columns, names)]


def describe_responsible(row: Mapping[Hashable, Any]) -> str:
    """Say which line carries the growth, or which keeps what another makes; a row of ``pick_responsible_lines``.

    Files are said with their folder, which is enough for a person.
    """
    if row["allocated_file"] is None:
        return (
            f" {row['share']:.0%} of the traced growth comes from {_place(row['file'], row['line'], row['function'])}."
        )
    made = _place(row["allocated_file"], row["allocated_line"], row["allocated_function"])
    return (
        f" It is kept by {_place(row['file'], row['line'], row['function'])}, where a container grew along with it; "
        f"{row['allocated_share']:.0%} of the traced growth is made in {made}."
    )


def _place(file: str, line: int, function: str | None) -> str:
    near = "/".join(file.replace("\\", "/").rsplit("/", 2)[-2:])
    return f"{near}:{line}" + (f" in {function}" if function else "")


def _rows(columns: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Cells of these columns, a row at a time, as plain Python holds them: those of numpy are slow to format."""
    plain = (
        column.tolist() if isinstance(column, np.ndarray) else column for column in map(columns.__getitem__, names)
    )
    return zip(*plain, strict=True)


@lru_cache(maxsize=256)
def _length(seconds: float) -> str:
    """Length of time; the series of a fleet are mostly as long."""
    return format_duration(seconds)


def _missing(n_samples: int, windows: int, judged_s: float) -> str:
    if n_samples < MIN_SAMPLES:
        more = MIN_SAMPLES - n_samples
        return f"{more} more sample{'s' if more > 1 else ''}: {n_samples} of at least {MIN_SAMPLES} are there"
    length = format_duration(judged_s / (windows + 1))
    return f"a longer record: it grew on the whole, but not in each of {windows} windows of {length}"


def _sentence(
    shape: str,
    missing: str | None,
    slope: float,
    low: float,
    high: float,
    windows: int,
    growth: float,
    judged_s: float,
    limit: float,
    time_left_s: float,
) -> str:
    if shape == "inconclusive":
        return f"Cannot be told yet: needs {missing}."
    if shape == "stable":
        trend = f"its trend over {_length(judged_s)} is {format_bytes(growth, sign=True)}"
        return f"Stable: {trend}, {'within its noise' if low <= 0 <= high else 'too little to matter'}."
    if shape != "growing":
        return _PLAIN[shape]
    grew = (
        f"A leak: grew by {format_growth(slope, low, high)} ({format_growth_interval(slope, low, high)}) "
        f"and its floor rose in each of {windows} windows."
    )
    if limit != limit:  # NaN: there is no limit
        return grew
    if time_left_s == 0:
        return f"{grew} It is at its limit of {format_bytes(limit)}."
    return f"{grew} It reaches its limit of {format_bytes(limit)} in about {format_duration(time_left_s)}."
