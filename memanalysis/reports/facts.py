"""Describe what a verdict rests on and what is allowed: the sentences beside a chart, the same in every format."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandas.api.typing import NaTType

from memanalysis._text import make_printable
from memanalysis.reports.verdict_cells import (
    COUNT_NOUNS,
    METRIC_NAMES,
    known_number,
    render_place,
)
from memanalysis.units import format_bytes, format_duration, format_growth, format_growth_interval, format_number

if TYPE_CHECKING:
    from memanalysis.reports.report_model import ServiceSection

__all__ = [
    "describe_budget",
    "describe_evidence",
    "describe_forecast",
    "describe_line_growth",
    "describe_no_sites",
    "describe_range",
]


def describe_range(started: datetime | None, ended: datetime | None) -> str:
    """From when to when the samples are."""
    if started is None or ended is None:
        return "not available: no sample has a time"
    length = format_duration((ended - started).total_seconds())
    last = f"{ended:%H:%M:%S}" if started.date() == ended.date() else f"{ended:%Y-%m-%d %H:%M:%S}"
    return f"{started:%Y-%m-%d %H:%M:%S} to {last} UTC ({length})"


def describe_evidence(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of each thing that a verdict rests on."""
    slope, low, high = (known_number(verdict[f"{name}_bytes_per_s"]) for name in ("slope", "low", "high"))
    windows, weakest = int(known_number(verdict["windows"]) or 0), known_number(verdict["weakest_window_bytes_per_s"])
    n_samples = int(known_number(verdict["n_samples"]) or 0)
    growth = format_bytes(known_number(verdict["growth_bytes"]), sign=True)
    facts = [
        ("Measured", METRIC_NAMES.get(verdict["metric"], str(verdict["metric"]))),
        (
            "Samples",
            f"{n_samples} over {format_duration(known_number(verdict['duration_s']))}",
        ),
        ("Level at the end", format_bytes(known_number(verdict["latest_bytes"]))),
        ("Growth", f"{growth}{_describe_percent(verdict)}{_describe_judged_span(verdict)}"),
    ]
    interval = format_growth_interval(slope, low, high)
    rate = format_growth(slope, low, high)
    facts.append(("Growth an hour", f"{rate}, 95 % interval {interval}" if interval else rate))
    if noun := COUNT_NOUNS.get(verdict["metric"]):
        count, per_s = known_number(verdict["growth_count"]), known_number(verdict["slope_count_per_s"])
        facts.append((noun.capitalize(), f"{count or 0:.0f} more, {format_number(3600 * (per_s or 0))} an hour"))
    if (free := known_number(verdict["allocator_free_bytes"])) is not None:
        facts.append(("Free in the C allocator", format_bytes(free)))
    if (processes := known_number(verdict["process_count"])) is not None:
        facts.append(("Processes", f"{processes:.0f}; {known_number(verdict['growing_count']) or 0:.0f} of them grow"))
    if windows:
        facts.append(
            (
                "Least rise of its baseline",
                f"{format_growth(weakest)}, in {windows} {'window' if windows == 1 else 'windows'}",
            )
        )
    if verdict["is_leak"] or verdict["origin"] != "unknown":
        facts.append(("Origin", _ORIGINS[verdict["origin"]]))
    for role, title in (("responsible", "Line"), ("allocated", "Allocated in")):
        if isinstance(file := verdict.get(f"{role}_file"), str) and file:
            place = render_place(file, known_number(verdict[f"{role}_line"]), short=False)
            function = verdict.get(f"{role}_function")
            facts.append((title, f"{place} in {make_printable(function)}" if isinstance(function, str) else place))
    if isinstance(chain := verdict.get("held_by"), str):
        facts.append(("Held by", make_printable(chain)))
    return facts


def _describe_percent(verdict: Mapping[str, Any]) -> str:
    percent = known_number(verdict["growth_percent"])
    return "" if percent is None or not math.isfinite(percent) else f" ({percent:+.1f} %)"


def _describe_judged_span(verdict: Mapping[str, Any]) -> str:
    """Return which part of the run the fitted growth is of; empty where nothing was fitted."""
    judged_s, whole_s = known_number(verdict["judged_s"]), known_number(verdict["duration_s"])
    if known_number(verdict["growth_bytes"]) is None or not judged_s or whole_s is None:
        return ""
    judged, whole = format_duration(judged_s), format_duration(whole_s)
    if judged == whole:
        return f", fitted over all {whole}"
    return f", fitted over the last {judged} of {whole}"


_ORIGINS = {
    "python": "Python objects: what is traced carries the growth",
    "native": "native code: what is traced does not carry the growth",
    "fragmentation": "the allocator: memory that is free but was not given back",
    "copy-on-write": "shared memory that the process copied as it wrote: no leak",
    "shared": "pages that several processes share, and each counts: no leak",
    "threads": "threads that pile up",
    "descriptors": "files, sockets or pipes that are not closed",
    "unknown": "not available: what was recorded does not show it",
}


def describe_budget(section: "ServiceSection") -> str:
    """What the service may use, and how far it is from it."""
    latest, limit = known_number(section.verdict["latest_bytes"]), known_number(section.verdict["limit_bytes"])
    if limit is None:
        return "No budget: neither a policy nor a limit of the container was given, so there is no time to budget."
    parts = []
    if section.budget is not None:
        parts.append(
            f"Budget {format_bytes(section.budget.max_bytes)}, "
            f"warning from {format_bytes(section.budget.warning_bytes)}, "
            f"critical from {format_bytes(section.budget.critical_bytes)}."
        )
    if section.budget is None or limit < section.budget.max_bytes:
        parts.append(f"The limit of the container is {format_bytes(limit)}, and counts.")
    if latest is not None:
        headroom = limit - latest
        where = "below it" if headroom >= 0 else "above it"
        parts.append(f"At the end the service was {format_bytes(abs(headroom))} {where}.")
    return " ".join(parts)


def describe_forecast(section: "ServiceSection") -> str:
    """Describe which level of the budget is reached next, and when; empty where no date is known, or it is reached."""
    ahead = section.forecast[section.forecast["in_s"].gt(0) & section.forecast["next"].notna()]
    if ahead.empty:
        return ""
    first = ahead.sort_values("in_s", kind="stable").iloc[0]
    interval = _describe_moments(first["next_low"], first["next_high"])
    level = _LEVELS[first["level"]]
    reached = f"{level} of {format_bytes(first['limit_bytes'])} about {first['next']:%Y-%m-%d %H:%M:%S} UTC"
    between = f" (90 % interval {interval})" if interval else ""
    if first["method"] == "growth":
        return f"At this pace it reaches its {reached}{between}."
    return f"It rose to its {level} {first['episodes']} times. If that goes on, it next reaches its {reached}{between}."


def _describe_moments(low: pd.Timestamp | NaTType, high: pd.Timestamp | NaTType) -> str:
    """Return the ends of an interval of moments in UTC, the later without its day where that is the same."""
    if isinstance(low, NaTType):
        return ""
    first = f"{low:%Y-%m-%d %H:%M:%S}"
    if isinstance(high, NaTType):
        return f"{first} UTC to never"
    last = f"{high:%Y-%m-%d %H:%M:%S}"
    if first == last:
        return ""
    return f"{first} to {last[len('2000-01-01 ') :] if low.date() == high.date() else last} UTC"


_LEVELS = {"warning": "warning level", "critical": "critical level", "budget": "budget"}


def describe_no_sites(section: "ServiceSection") -> str:
    """Why no line of code can be named."""
    advice = ' Record again with trace="full" to learn which lines grow.' if section.verdict["is_leak"] else ""
    if section.trace in ("sampled", "windows"):
        return (
            f"No allocation sites were recorded in this run: it ended, or did not grow, before the first table.{advice}"
        )
    why = "only what Python allocated in all" if section.is_traced else "tracing was off"
    return f"No allocation sites were recorded in this run: {why}.{advice}"


def describe_line_growth(section: "ServiceSection") -> str:
    """Return what the sizes in the table of lines are: between which moments growth lies, and what is estimated."""
    since, until_moment = section.sites[["judged_from", "judged_to"]].iloc[0]
    until = f"{until_moment:%Y-%m-%d %H:%M:%S} UTC"
    if section.trace == "windows":
        return (
            f"Sizes are estimates up to {until}: what survived tracing windows, scaled to the growth of the whole run."
        )
    error = ", within the error of the sampler" if section.trace == "sampled" else ""
    outside = _describe_later(section.sites["last_table"].iloc[0], until_moment) + _describe_outside(section)
    if pd.isna(since):
        return f"Growth is what a line held at {until}, all of it since recording began{error}.{outside}"
    began = f"{since:%H:%M:%S}" if since.date() == until_moment.date() else f"{since:%Y-%m-%d %H:%M:%S}"
    return f"Growth is what a line held at {until} less what it held at {began}{error}.{outside}"


def _describe_later(last_table: pd.Timestamp, until: pd.Timestamp) -> str:
    """Return a sentence on what was allocated after the last table, where some time went by."""
    if (until - last_table).total_seconds() < 1:
        return ""
    return f" The last table is of {last_table:%H:%M:%S}: what was allocated since is shared out as before."


def _describe_outside(section: "ServiceSection") -> str:
    """Return a sentence on the part of the growth that is in no line, where that is notable."""
    split = section.growth_split
    if split is None or not split.is_notable:
        return ""
    return (
        f" In that time resident memory grew by {format_bytes(split.resident_bytes)}, what Python allocated by "
        f"{format_bytes(max(0.0, split.python_bytes))}. The other {format_bytes(split.outside_bytes)} are native, or "
        "were freed and not given back to the system: no line has them."
    )
