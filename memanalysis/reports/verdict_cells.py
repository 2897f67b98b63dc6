"""Put one verdict into few words: the cells that every table shows, on paper, in a terminal and in a notebook.

The input is a row of the verdict frame (``VERDICT_COLUMNS``) as a mapping. Unknown is shown as such and never as zero.
Text that comes from a ledger may hold anything: it passes through `make_printable` before it is shown anywhere.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from memanalysis._text import make_printable
from memanalysis.analysis.verdict import UNREADABLE
from memanalysis.units import format_duration, format_growth, format_growth_interval, format_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COUNT_NOUNS",
    "METRIC_NAMES",
    "NOTHING",
    "SEVERITY_MARKS",
    "VerdictCells",
    "known_number",
    "render_all_cells",
    "render_cells",
    "render_place",
    "render_time_interval",
    "short_run_id",
]

METRIC_NAMES = {
    "rss_bytes": "resident memory",
    "pss_bytes": "resident memory, shared pages counted once",
    "uss_bytes": "memory of this process alone",
    "family_bytes": "memory of the process with its children",
    "container_bytes": "memory of the container",
    "traced_bytes": "memory that Python allocated",
    "thread_count": "number of threads",
    "descriptor_count": "number of open descriptors",
}
"""What a metric is called in a sentence and on an axis."""

COUNT_NOUNS = {"thread_count": "threads", "descriptor_count": "descriptors"}
"""What is counted by the metrics that are no sizes."""

SEVERITY_MARKS = {"unknown": "◌", "none": "○", "low": "◔", "medium": "◑", "high": "◕", "critical": "●"}
"""A shape beside each severity, for readers who do not distinguish its colour."""

NOTHING = "-"
"""Stands where a cell does not apply: a service that does not grow has no responsible line."""


@dataclass(frozen=True, slots=True)
class VerdictCells:
    """One verdict in the words of a table."""

    service: str
    run: str
    shape: str
    leak: str
    severity: str
    growth: str
    growth_interval: str
    time: str
    time_interval: str
    responsible: str
    responsible_path: str
    sentence: str


def render_cells(verdict: Mapping[str, Any]) -> VerdictCells:
    """Put one row of the verdict frame into words."""
    slope, low, high = (known_number(verdict[f"{name}_bytes_per_s"]) for name in ("slope", "low", "high"))
    limit, time_s = known_number(verdict["limit_bytes"]), known_number(verdict["time_to_exhaustion_s"])
    is_unreadable = verdict["shape"] == UNREADABLE
    noun = COUNT_NOUNS.get(verdict["metric"])
    per_s = known_number(verdict["slope_count_per_s"])
    is_open = is_unreadable or verdict["shape"] == "inconclusive"
    return VerdictCells(
        service=make_printable(verdict["service"]) if _is_known(verdict["service"]) else "(no service)",
        run=_name_run(verdict),
        shape=str(verdict["shape"]),
        leak="unknown" if is_open else _render_leak(verdict),
        severity="unknown" if is_open else str(verdict["severity"]),
        growth=NOTHING
        if is_unreadable
        else f"{format_number(3600 * per_s, sign=True)} {noun}/h"
        if noun and per_s is not None
        else format_growth(slope, low, high),
        growth_interval="" if noun else format_growth_interval(slope, low, high),
        time=NOTHING
        if is_unreadable
        else "no budget"
        if limit is None
        else _render_time(verdict, time_s)
        if verdict["is_leak"]
        else NOTHING,
        time_interval=""
        if verdict["has_ended"]
        else render_time_interval(
            time_s,
            known_number(verdict["time_to_exhaustion_low_s"]),
            known_number(verdict["time_to_exhaustion_high_s"]),
        ),
        responsible=_render_responsible(verdict, short=True),
        responsible_path=_render_responsible(verdict, short=False),
        sentence=make_printable(verdict["sentence"]),
    )


def _render_time(verdict: Mapping[str, Any], time_s: float | None) -> str:
    """Return the time to the limit, which what has ended does not have, nor what is there already."""
    if verdict["has_ended"]:
        return "ended"
    return "reached" if time_s == 0 else format_duration(time_s)


def render_all_cells(verdicts: "pd.DataFrame") -> list[VerdictCells]:
    """Put every row of a verdict frame into words."""
    return [render_cells({str(name): value for name, value in row.items()}) for row in verdicts.to_dict("records")]


def render_time_interval(time_s: float | None, low_s: float | None, high_s: float | None) -> str:
    """Ends of the interval of a length of time, such as ``3.1 to 4.4 h``; empty where there is none."""
    if time_s is None or low_s is None or high_s is None or (math.isinf(low_s) and math.isinf(high_s)):
        return ""
    low, high = format_duration(low_s), format_duration(high_s)
    if low == high:
        return ""
    if low.split(" ")[1:] == high.split(" ")[1:]:
        low = low.split(" ")[0]
    return f"{low} to {high}"


def render_place(file: str, line: float | None, *, short: bool) -> str:
    """``file:line``; short is the file's own name without its directories."""
    name = PureWindowsPath(file).name if "\\" in file else PurePosixPath(file).name
    shown = make_printable((name or file) if short else file)
    return shown if line is None else f"{shown}:{line:.0f}"


def short_run_id(run_id: object) -> str:
    """Return the last part of a run id, enough to distinguish the runs of one service."""
    return make_printable(run_id).rpartition("-")[2][:12]


def _name_run(verdict: Mapping[str, Any]) -> str:
    """Return the last part of the run's id, and what the process is in its family."""
    if not _is_known(verdict["run_id"]):
        return NOTHING
    run, role = short_run_id(verdict["run_id"]), verdict["role"]
    return "whole family" if role == "family" else f"{run}, {role}" if _is_known(role) else run


def _is_known(name: object) -> bool:
    """Return whether it is a name, and not null as frames write it: None, NaN or NA."""
    return isinstance(name, str) or str(name) not in {"None", "nan", "<NA>", "NaT"}


def _render_leak(verdict: Mapping[str, Any]) -> str:
    if not verdict["is_leak"]:
        return "no"
    return "accepted" if verdict["known"] == "accepted" else "yes"


def _render_responsible(verdict: Mapping[str, Any], *, short: bool) -> str:
    if verdict["is_leak"] and verdict["origin"] == "native":
        return "native code"  # a line of Python is not to blame; the sentence names the one that retains most
    file = verdict["responsible_file"]
    if isinstance(file, str) and file:
        return render_place(file, known_number(verdict["responsible_line"]), short=short)
    return "not known" if verdict["is_leak"] else NOTHING


def known_number(value: Any) -> float | None:
    """A number of the frame, or None where it is unknown (None, NaN, NA)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number
