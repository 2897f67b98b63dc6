"""Put the rows of a comparison into sentences, the same for `check`, `compare` and their pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.comparison import WORSE
from memanalysis.units import format_bytes, format_growth

__all__ = ["ServiceChange", "describe_change", "describe_service_changes"]

MAX_LINES = 5
"""Lines of code of one service that are listed; those that rose most come first."""

SMALLEST_P_VALUE = 1e-4
"""Smaller ones are not written out: no model of noise is that exact."""

_RANKS = {"worse": 0, "better": 1, "same": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What changed in one service, in words.

    Parameters
    ----------
    service : str
        Its name.
    verdict : {"worse", "better", "same"}
        Worse where its level or its growth is. Where neither changed its lines decide.
    sentences : tuple of str
        One on each change of its level and growth, then one a line of code.
    """

    service: str
    verdict: Literal["worse", "better", "same"]
    sentences: tuple[str, ...]


def describe_service_changes(changes: pd.DataFrame) -> list[ServiceChange]:
    """Return what changed in each service, the worse before the better, and those where nothing did last."""
    described = []
    for service, own in changes.groupby("service", observed=True, sort=True):
        changed = own[own["verdict"] != "same"]
        figures = changed[changed["what"] != "site_bytes"]
        lines = changed[changed["what"] == "site_bytes"]
        lines = lines.reindex(lines["change"].abs().sort_values(ascending=False, kind="stable").index)
        sentences = [describe_change(row) for row in pd.concat([figures, lines.head(MAX_LINES)]).to_dict("records")]
        if len(lines) > MAX_LINES:
            more = len(lines) - MAX_LINES
            sentences.append(f"{more} more line{'s' if more > 1 else ''} changed.")
        deciding = changed if figures.empty else figures
        is_worse = bool(deciding["verdict"].isin(WORSE).any())
        described.append(
            ServiceChange(
                service=make_printable(str(service)),
                verdict="same" if changed.empty else "worse" if is_worse else "better",
                sentences=tuple(sentences),
            )
        )
    return sorted(described, key=lambda change: _RANKS[change.verdict])


def describe_change(row: Mapping[Any, Any], *, reference: str = "before") -> str:
    """Return a sentence on one row of a comparison.

    Parameters
    ----------
    row : mapping
        A row of what `compare` gives.
    reference : str
        What it is compared with, such as "in the baseline".
    """
    if row["what"] == "slope_bytes_per_s":
        how = "faster" if row["change"] > 0 else "more slowly"
        return (
            f"Grows {how} than {reference}: by {format_growth(row['after'])} after {format_growth(row['before'])} "
            f"({_describe_chance(row['p_value'])})."
        )
    subject = "Holds" if row["what"] == "level_bytes" else f"{_describe_place(row)} holds"
    name = f" It is {row['verdict']}." if row["verdict"] in {"new", "gone"} else ""
    amount = "more" if row["change"] > 0 else "less"
    outer = abs(row["high"] if row["change"] > 0 else row["low"])
    ends = sorted((abs(row["low"]), abs(row["high"]))) if row["low"] * row["high"] > 0 else (0.0, outer)
    return (
        f"{subject} {format_bytes(abs(row['change']))} {amount} than {reference} "
        f"({format_bytes(ends[0])} to {format_bytes(ends[1])}, {_describe_chance(row['p_value'])}): "
        f"{format_bytes(row['after'])} after {format_bytes(row['before'])}.{name}"
    )


def _describe_place(row: Mapping[Any, Any]) -> str:
    function = row["function"]
    is_named = isinstance(function, str) and not function.startswith(("line ", "<"))
    return make_printable(f"{row['file']}:{row['line']:.0f}" + (f" ({function})" if is_named else ""))


def _describe_chance(p_value: float) -> str:
    return f"p < {SMALLEST_P_VALUE:.4f}" if p_value < SMALLEST_P_VALUE else f"p = {p_value:.4f}"
