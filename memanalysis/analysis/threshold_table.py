"""The thresholds as a table for the documentation: name, value, unit, meaning and source of each."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds

__all__ = ["render_thresholds_table"]

_HEADER = "| threshold | value | unit | meaning | source |\n|---|---|---|---|---|"


def render_thresholds_table(thresholds: Thresholds = DEFAULT_THRESHOLDS) -> str:
    """Return a Markdown table of all thresholds, group after group.

    Parameters
    ----------
    thresholds : Thresholds, optional
        Whose values to show.
    """
    return "\n".join([_HEADER, *_rows(thresholds)])


def _rows(thresholds: Thresholds) -> Iterator[str]:
    for group in dataclasses.fields(thresholds):
        numbers = getattr(thresholds, group.name)
        for number in dataclasses.fields(numbers):
            about = number.metadata
            value = _format(getattr(numbers, number.name))
            name = f"`{group.name}.{number.name}`"
            yield f"| {name} | {value} | {about['unit']} | {about['meaning']} | {about['source']} |"


def _format(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_format, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
