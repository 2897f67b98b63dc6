"""Name and text of each thing that is known of the end of a run, as its post-mortem lists them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.input_frames import known_floats
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.reports.death_memory import DeathMemory
from memanalysis.reports.death_words import describe_cause, describe_proof, name_limit
from memanalysis.reports.held_line import HeldLine
from memanalysis.reports.verdict_cells import known_number, render_place
from memanalysis.units import format_bytes, format_duration
from memanalysis.verdicts.run_ends import RunEnd

__all__ = ["GrownType", "find_grown_types", "format_moment", "list_facts"]

MAX_TYPES = 5
MIN_TYPE_GROWTH_BYTES = 256 * 1024
MIN_TYPE_GROWTH = 1_000
"""Types whose objects grew by less than both explain nothing. Few own bytes are no sign: what an object refers to, such
as the buffer of a session, counts as another type."""

NEAR_MARK_S = 60.0
NEAR_MARK_SHARE = 0.1
"""A mark counts as what growth began with when it lies no further before it than this, or this part of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownType:
    """A type whose objects became more.

    Parameters
    ----------
    name : str
    first, last : int
        How many there were in the first census and in the last.
    own_growth_bytes : float
        What they grew by themselves, without the objects that they refer to.
    """

    name: str
    first: int
    last: int
    own_growth_bytes: float


def list_facts(
    end: RunEnd,
    memory: DeathMemory,
    line: HeldLine | None,
    *,
    verdict: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    breaches: pd.DataFrame,
    has_source: bool,
) -> list[tuple[str, str]]:
    """Return the facts, the most important first.

    Arguments are those of `make_post_mortem`, with what the samples show and the line that held most.
    """
    run, proof = end.run, describe_proof(end)
    why = describe_cause(end, limit_share=memory.limit_share, short=not has_source)
    facts = [("Why", f"It {why}{f': {proof}' if proof else ''}")]
    if run.get("ended"):
        facts.append(("Ended", format_moment(run["ended"])))
    if memory.last is not None:
        facts.append(("Last sample", _describe_last(memory, run.get("ended"))))
    if (limit := name_limit(end)) is not None:
        peak = end.ending["limits"].get("peak_mapped_bytes")
        mapped = f"; at most {format_bytes(peak)} were mapped" if isinstance(peak, int) else ""
        facts.append((f"Limit {limit[0]}", f"{format_bytes(limit[1])}{mapped}"))
    if beginning := _describe_beginning(memory, tables["events"], run):
        facts.append(("Growth began", beginning))
    if line is not None:
        facts.append(("Line", _describe_line(line, short=not has_source)))
    if isinstance(verdict["held_by"], str):
        facts.append(("Held by", make_printable(verdict["held_by"])))
    if types := find_grown_types(tables["objects"]):
        facts.append(("Objects that became more", _describe_types(types)))
    if parts := _describe_parts(tables["samples"]):
        facts.append(("Memory, as last read", parts))
    if not breaches.empty:
        facts.append(("Budget", _describe_breaches(breaches, memory)))
    if forecast := _describe_forecast(verdict, memory):
        facts.append(("Forecast at its last sample", forecast))
    return facts + _describe_process(run, memory, has_source=has_source)


def _describe_types(types: Sequence[GrownType]) -> str:
    rows = (
        f"{make_printable(one.name)} {one.first:,} to {one.last:,} ({format_bytes(one.own_growth_bytes, sign=True)})"
        for one in types
    )
    return f"{', '.join(rows)}; sizes are their own, without the objects that they refer to"


def _describe_breaches(breaches: pd.DataFrame, memory: DeathMemory) -> str:
    """Return since when it was at its warning level or above at its end, or last was, and how far it went."""
    *earlier, last = breaches.sort_values("first", kind="stable").to_dict("records")
    lasts = memory.last is not None and last["last"] >= memory.last
    span = f"since {format_moment(last['first'])}"
    if not lasts:
        span = f"from {format_moment(last['first'])} to {format_moment(last['last'])}"
    worst = f"{format_bytes(last['worst_bytes'])} of {format_bytes(last['budget_bytes'])}"
    before = f"; {len(earlier)} {'time' if len(earlier) == 1 else 'times'} before" if earlier else ""
    return f"at its warning level or above {span}, at worst {last['level']} with {worst}{before}"


def _describe_last(memory: DeathMemory, ended: datetime | None) -> str:
    size = format_bytes(memory.last_bytes)
    for name, allowed in (("limit", memory.limit_bytes), ("budget", memory.budget_bytes)):
        if allowed and memory.last_bytes:
            size += f", {memory.last_bytes / allowed:.0%} of its {name} of {format_bytes(allowed)}"
    if memory.last is None or ended is None:
        return size if memory.last is None else f"{size}, at {format_moment(memory.last)}"
    return f"{size}, {format_duration(max(0.0, (ended - memory.last).total_seconds()))} before the end"


def _describe_beginning(memory: DeathMemory, events: pd.DataFrame, run: Mapping[str, Any]) -> str:
    """Return when growth began, and the mark or cell that came just before; empty where memory did not grow."""
    if memory.began is None or memory.first is None or memory.last is None:
        return ""
    length_s = (memory.last - memory.first).total_seconds()
    rise = format_bytes((memory.last_bytes or 0.0) - (memory.first_bytes or 0.0), sign=True)
    grown = f"{rise} from the first sample to the last, in {format_duration(length_s)}"
    is_start = memory.began == memory.first
    when = "from its start on" if is_start else f"at {format_moment(memory.began)}"
    near = timedelta(seconds=max(NEAR_MARK_S, NEAR_MARK_SHARE * length_s))
    marks = events[events["kind"].isin(["mark", "cell_start"]) & events["timestamp"].notna()]
    grid = DEFAULT_THRESHOLDS.onset
    step = (grid.last_bend - grid.first_share) / (grid.onsets - 1)
    slack = timedelta(seconds=step * length_s)  # a bend is found no closer
    before = marks[(marks["timestamp"] <= memory.began + slack) & (marks["timestamp"] >= memory.began - near)]
    if not before.empty:
        last = before.sort_values("timestamp").iloc[-1]
        gap = format_duration(max(0.0, (memory.began - last["timestamp"].to_pydatetime()).total_seconds()))
        what = last["data"].get("cell") if isinstance(last["data"], Mapping) else None
        name = make_printable(what or last["message"])
        return f"{when}, {gap} after {name}; {grown}"
    release = f", with release {make_printable(run['release'])}" if is_start and run.get("release") else ""
    return f"{when}{release}; {grown}"


def _describe_line(line: HeldLine, *, short: bool) -> str:
    place = render_place(line.file, line.line, short=short)
    inside = f" in {make_printable(line.function)}" if line.function else ""
    held = "" if line.held_bytes is None else f", holds about {format_bytes(line.held_bytes)}"
    by = f", allocated in {render_place(*line.allocated, short=short)}" if line.allocated else ""
    return f"{place}{inside}{held}, {line.share:.0%} of the traced growth{by}"


def _describe_parts(samples: pd.DataFrame) -> str:
    """Return what the resident memory of the last samples consisted of, as far as that was read."""
    names = {
        "uss_bytes": "of this process alone",
        "sampled_bytes": "allocated by Python since the start",
        "traced_bytes": "traced by Python",
        "allocator_free_bytes": "free in the C allocator",
    }
    parts = []
    for column, name in names.items():
        values = known_floats(samples, column)
        known = values[np.isfinite(values)]
        if known.size:
            parts.append(f"{format_bytes(known[-1])} {name}")
    return ", ".join(parts)


def _describe_forecast(verdict: Mapping[str, Any], memory: DeathMemory) -> str:
    """Return when its limit or budget would have been reached, as a date."""
    time_s, limit = known_number(verdict["time_to_exhaustion_s"]), known_number(verdict["limit_bytes"])
    if time_s is None or limit is None or not math.isfinite(time_s) or memory.last is None:
        return ""
    is_limit = memory.limit_bytes is not None and limit >= memory.limit_bytes
    allowed = f"its {'limit' if is_limit else 'budget'} of {format_bytes(limit)}"
    if time_s == 0:
        return f"{allowed} was reached"
    try:
        moment = memory.last + timedelta(seconds=time_s)
    except OverflowError:
        return ""
    return f"{allowed} at {format_moment(moment)}"


def _describe_process(run: Mapping[str, Any], memory: DeathMemory, *, has_source: bool) -> list[tuple[str, str]]:
    facts = []
    started = run.get("started") or memory.first
    ended = run.get("ended") or memory.last
    if started is not None and ended is not None:
        length = format_duration(max(0.0, (ended - started).total_seconds()))
        facts.append(("Started", f"{format_moment(started)}; it lived for {length}"))
    host, pid = run.get("host"), run.get("pid")
    if host or pid:
        names = [f"pid {pid}"] if pid else []
        place = " ".join([*names, *([f"on {make_printable(host)}"] if host else [])])
        facts.append(("Process", f"{place}, {make_printable(run.get('python') or 'Python')}"))
    argv = run.get("argv")
    if has_source and isinstance(argv, list | tuple | np.ndarray) and len(argv):
        facts.append(("Command", make_printable(" ".join(map(str, argv)))))
    for name, title in (("release", "Release"), ("git_commit", "Commit")):
        if run.get(name):
            facts.append((title, make_printable(run[name])))
    return facts


def find_grown_types(objects: pd.DataFrame) -> list[GrownType]:
    """Return the types whose objects became more from the first census to the last, the most own bytes first."""
    known = objects.dropna(subset=["timestamp", "count"])
    if known["timestamp"].nunique() < 2:
        return []
    moments = known["timestamp"]
    ends = [
        known[moments == moment].groupby("type")[["count", "size_bytes"]].sum()
        for moment in (moments.min(), moments.max())
    ]
    before, after = (frame.add_suffix(name) for frame, name in zip(ends, ("_first", "_last"), strict=True))
    both = before.join(after, how="right").fillna(0).astype("float64")
    more = (both["count_last"] - both["count_first"]).rename("more")
    grown = (both["size_bytes_last"] - both["size_bytes_first"]).rename("grown")
    is_shown = (more > 0) & ((grown >= MIN_TYPE_GROWTH_BYTES) | (more >= MIN_TYPE_GROWTH))
    rows = both.assign(more=more, grown=grown)[is_shown].sort_values(["grown", "more"], ascending=False, kind="stable")
    return [
        GrownType(
            name=str(name),
            first=int(row["count_first"]),
            last=int(row["count_last"]),
            own_growth_bytes=float(row["grown"]),
        )
        for name, row in rows.head(MAX_TYPES).iterrows()
    ]


def format_moment(moment: datetime) -> str:
    """Return a moment in UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
