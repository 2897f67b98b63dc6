"""The post-mortem of one run: what died, when and why, what it held, and what to do next.

It leads with one sentence that can be pasted into a ticket. Nothing is judged again: the verdict, the tables and the
end of the run are joined.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.input_frames import known_floats
from memanalysis.analysis.trend.onset import find_onsets
from memanalysis.reports.death_words import describe_cause, describe_proof, list_next_steps, name_limit
from memanalysis.reports.held_line import HeldLine, find_held_line, grew_outside_python
from memanalysis.reports.open_cell import OpenCell, find_open_cell
from memanalysis.reports.source_text import SourceText, read_source
from memanalysis.reports.verdict_cells import known_number, render_place
from memanalysis.units import format_bytes, format_duration
from memanalysis.verdicts.run_ends import RunEnd

__all__ = ["PostMortem", "make_post_mortem", "write_death_sentence"]

MIN_GROWTH_BYTES = 8 * 1024**2
MIN_GROWTH_SHARE = 0.1
"""Memory that rose by less than both, of its level at the end, did not grow enough to be named in a ticket."""

MAX_TYPES = 4
MIN_TYPE_GROWTH_BYTES = 256 * 1024
"""Types whose objects grew by less explain nothing."""

NEAR_MARK_S = 60.0
NEAR_MARK_SHARE = 0.1
"""A mark counts as what growth began with when it lies no further before it than this, or this part of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortem:
    """How one run ended.

    Parameters
    ----------
    sentence : str
        What died, when, why, and the line: for a ticket.
    cause : str
        A code of ``Cause``.
    ended : datetime or None
        When it ended; None where only ``last_seen``, its last row, is known.
    facts : sequence of (str, str)
        Name and text of each thing that is known of the end.
    line : HeldLine or None
        The line that explains most of what it held.
    source : SourceText or None
        Its text, where the file is here.
    types : sequence of (str, int, int)
        Types whose objects became more, with their numbers in the first census and the last.
    next_steps : sequence of str
        What to do, the most useful first.
    """

    service: str
    run_id: str
    sentence: str
    cause: str
    ended: datetime | None
    last_seen: datetime | None
    facts: Sequence[tuple[str, str]]
    line: HeldLine | None
    source: SourceText | None
    types: Sequence[tuple[str, int, int]]
    next_steps: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What the samples show of the memory of a run."""

    first: datetime | None
    last: datetime | None
    first_bytes: float | None
    last_bytes: float | None
    limit_bytes: float | None
    is_growing: bool
    began: datetime | None

    @property
    def limit_share(self) -> float | None:
        """Memory at the last sample as a part of its limit."""
        return self.last_bytes / self.limit_bytes if self.last_bytes and self.limit_bytes else None


def make_post_mortem(
    end: RunEnd,
    *,
    verdict: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    breaches: pd.DataFrame,
    has_source: bool = True,
) -> PostMortem:
    """Join what is known of the end of a run.

    Parameters
    ----------
    end : RunEnd
    verdict : mapping
        Its row of the verdict frame.
    tables : mapping of str to DataFrame
        Its rows of ``samples``, ``sites``, ``objects`` and ``events``.
    breaches : DataFrame
        As `find_breaches` gives them.
    has_source : bool
        Whether code and the folders of files may be shown.
    """
    memory, trace = _read_memory(tables["samples"], verdict), end.run.get("trace")
    line = find_held_line(tables["sites"], tables["samples"], tables["events"], trace=trace)
    cell = find_open_cell(tables["events"], has_source=has_source)
    ended = end.run.get("ended")
    is_native = bool(verdict["is_leak"]) and verdict["origin"] == "native"
    place = None if line is None else render_place(line.file, line.line, short=True)
    if line is None and cell is not None and _has_grown(cell):
        place = cell.name_line()
    if place is None:
        is_native |= grew_outside_python(tables["samples"], tables["events"], trace=trace)
    held_by = verdict["held_by"] if isinstance(verdict["held_by"], str) else None
    return PostMortem(
        service=make_printable(end.run["service"]),
        run_id=str(end.run["run_id"]),
        sentence=_write_sentence(end, memory, line, cell=cell),
        cause=str(end.cause),
        ended=ended,
        last_seen=memory.last,
        facts=_list_facts(end, memory, line, verdict=verdict, tables=tables, breaches=breaches, has_source=has_source),
        line=line,
        source=read_source(line.file, line.line, ended=ended or memory.last) if line and has_source else None,
        types=_find_grown_types(tables["objects"]),
        next_steps=list_next_steps(
            end,
            place=place,
            callers=_name_callers(line),
            held_by=held_by,
            limit_share=memory.limit_share,
            is_growing=memory.is_growing,
            is_native=is_native,
            is_traced=trace not in (None, "off"),
        ),
    )


def write_death_sentence(
    end: RunEnd, *, verdict: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], has_source: bool = True
) -> str:
    """Return the first sentence of a post-mortem alone: what died, when, why, and the line.

    The arguments are those of `make_post_mortem`; ``tables`` needs no ``objects``.
    """
    memory = _read_memory(tables["samples"], verdict)
    line = find_held_line(tables["sites"], tables["samples"], tables["events"], trace=end.run.get("trace"))
    return _write_sentence(end, memory, line, cell=find_open_cell(tables["events"], has_source=has_source))


def _read_memory(samples: pd.DataFrame, verdict: Mapping[str, Any]) -> _Memory:
    times, rss = samples["timestamp"], known_floats(samples, "rss_bytes")
    at = np.flatnonzero(np.isfinite(rss) & times.notna().to_numpy())
    at = at[np.argsort(times.iloc[at].to_numpy(), kind="stable")]
    limits = known_floats(samples, "limit_bytes")
    limit = limits[np.isfinite(limits)]
    known_limit = known_number(verdict["limit_bytes"])
    if not at.size:
        return _Memory(
            first=None, last=None, first_bytes=None, last_bytes=None, limit_bytes=known_limit, is_growing=False,
            began=None,
        )  # fmt: skip
    moments, values = times.iloc[at], rss[at]
    grown = float(values[-1] - values[0])
    is_growing = grown >= MIN_GROWTH_BYTES and grown >= MIN_GROWTH_SHARE * values[-1]
    first = moments.iloc[0].to_pydatetime()
    onset_s = known_number(verdict["onset_s"])
    if onset_s is None and is_growing and at.size >= 8:
        seconds = (moments - moments.iloc[0]).dt.total_seconds().to_numpy()
        onset_s = known_number(find_onsets(seconds[None], values[None])[0]) if seconds[-1] > 0 else None
    return _Memory(
        first=first,
        last=moments.iloc[-1].to_pydatetime(),
        first_bytes=float(values[0]),
        last_bytes=float(values[-1]),
        limit_bytes=float(limit[-1]) if limit.size else known_limit,
        is_growing=is_growing,
        began=None if not is_growing else first + timedelta(seconds=onset_s or 0.0),
    )


def _has_grown(cell: OpenCell) -> bool:
    return cell.grown_bytes is not None and cell.grown_bytes >= MIN_GROWTH_BYTES


def _write_sentence(end: RunEnd, memory: _Memory, line: HeldLine | None, *, cell: OpenCell | None) -> str:
    run = end.run
    names = [f"pid {run['pid']}"] if run.get("pid") else []
    where = f" on {make_printable(run['host'])}" if run.get("host") else ""
    worker = [f"worker of process {run['program_pid']}"] if end.is_worker else []
    release = [f"release {make_printable(run['release'])}"] if run.get("release") else []
    who = f"{make_printable(run['service'])} ({', '.join([' '.join(names) + where, *worker, *release])})"
    ended = run.get("ended") or memory.last
    when = "" if ended is None else f"{'At' if run.get('ended') else 'After'} {_format_moment(ended)} "
    parts = [f"{when}{who} {describe_cause(end, limit_share=memory.limit_share, short=True)}"]
    if cell is not None:
        parts.append(f"in {make_printable(cell.cell)}")
    if memory.last_bytes is not None:
        of_limit = "" if memory.limit_bytes is None else f" of {format_bytes(memory.limit_bytes)}"
        parts.append(f"at {format_bytes(memory.last_bytes)}{of_limit}")
    if not memory.is_growing:
        return f"{', '.join(parts)}; its memory did not grow."
    if line is None and cell is not None and _has_grown(cell):
        code = f": {make_printable(cell.text.strip())}" if cell.text else ""
        return f"{', '.join(parts)}; it grew by {format_bytes(cell.grown_bytes)} under {cell.name_line()}{code}."
    if line is None:
        return f"{', '.join(parts)}; its memory grew, and no line was recorded for it."
    inside = f" in {make_printable(line.function)}" if line.function and line.function != "<module>" else ""
    holds = "" if line.held_bytes is None else f" holds {format_bytes(line.held_bytes)},"
    share = f" {line.share:.0%} of the traced growth"
    return f"{', '.join(parts)}; {render_place(line.file, line.line, short=True)}{inside}{holds}{share}."


def _list_facts(
    end: RunEnd,
    memory: _Memory,
    line: HeldLine | None,
    *,
    verdict: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    breaches: pd.DataFrame,
    has_source: bool,
) -> list[tuple[str, str]]:
    run, proof = end.run, describe_proof(end)
    why = describe_cause(end, limit_share=memory.limit_share, short=not has_source)
    facts = [("Why", f"It {why}{f': {proof}' if proof else ''}")]
    if run.get("ended"):
        facts.append(("Ended", _format_moment(run["ended"])))
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
    if types := _find_grown_types(tables["objects"]):
        facts.append(("Types", ", ".join(f"{make_printable(name)} {a:,} to {b:,}" for name, a, b in types)))
    if parts := _describe_parts(tables["samples"]):
        facts.append(("Memory, as last read", parts))
    if not breaches.empty:
        first = breaches.sort_values("first").iloc[0]
        facts.append(("Over its budget", f"{first['level']} since {_format_moment(first['first'])}"))
    if forecast := _describe_forecast(verdict, memory):
        facts.append(("Forecast at its last sample", forecast))
    return facts + _describe_process(run, memory, has_source=has_source)


def _describe_last(memory: _Memory, ended: datetime | None) -> str:
    size = format_bytes(memory.last_bytes)
    if memory.limit_bytes and memory.last_bytes:
        size += f", {memory.last_bytes / memory.limit_bytes:.0%} of its limit of {format_bytes(memory.limit_bytes)}"
    if memory.last is None or ended is None:
        return size if memory.last is None else f"{size}, at {_format_moment(memory.last)}"
    return f"{size}, {format_duration(max(0.0, (ended - memory.last).total_seconds()))} before the end"


def _describe_beginning(memory: _Memory, events: pd.DataFrame, run: Mapping[str, Any]) -> str:
    """Return when growth began, and the mark or cell that came just before; empty where memory did not grow."""
    if memory.began is None or memory.first is None or memory.last is None:
        return ""
    length_s = (memory.last - memory.first).total_seconds()
    rise = format_bytes((memory.last_bytes or 0.0) - (memory.first_bytes or 0.0), sign=True)
    grown = f"{rise} from the first sample to the last, in {format_duration(length_s)}"
    is_start = memory.began == memory.first
    when = "from its start on" if is_start else f"at {_format_moment(memory.began)}"
    near = timedelta(seconds=max(NEAR_MARK_S, NEAR_MARK_SHARE * length_s))
    marks = events[events["kind"].isin(["mark", "cell_start"]) & events["timestamp"].notna()]
    slack = timedelta(seconds=0.02 * length_s)  # a bend is found no closer
    before = marks[(marks["timestamp"] <= memory.began + slack) & (marks["timestamp"] >= memory.began - near)]
    if not before.empty:
        last = before.sort_values("timestamp").iloc[-1]
        gap = format_duration(max(0.0, (memory.began - last["timestamp"].to_pydatetime()).total_seconds()))
        what = last["data"].get("cell") if isinstance(last["data"], Mapping) else None
        name = make_printable(what or last["message"])
        return f"{when}, {gap} after {name}; {grown}"
    release = f", with release {make_printable(run['release'])}" if is_start and run.get("release") else ""
    return f"{when}{release}; {grown}"


def _name_callers(line: HeldLine | None) -> list[str]:
    """Return the lines that called a line, without the folders of files; empty where another line already keeps it."""
    if line is None or line.allocated is not None:
        return []
    return [render_place(*caller, short=True) for caller in line.callers]


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


def _describe_forecast(verdict: Mapping[str, Any], memory: _Memory) -> str:
    """Return when the limit would have been reached, as a date."""
    time_s, limit = known_number(verdict["time_to_exhaustion_s"]), known_number(verdict["limit_bytes"])
    if time_s is None or limit is None or not math.isfinite(time_s) or memory.last is None:
        return ""
    if time_s == 0:
        return f"its limit of {format_bytes(limit)} was reached"
    try:
        moment = memory.last + timedelta(seconds=time_s)
    except OverflowError:
        return ""
    return f"its limit of {format_bytes(limit)} at {_format_moment(moment)}"


def _describe_process(run: Mapping[str, Any], memory: _Memory, *, has_source: bool) -> list[tuple[str, str]]:
    facts = []
    started = run.get("started") or memory.first
    ended = run.get("ended") or memory.last
    if started is not None and ended is not None:
        length = format_duration(max(0.0, (ended - started).total_seconds()))
        facts.append(("Started", f"{_format_moment(started)}; it lived for {length}"))
    host, pid = run.get("host"), run.get("pid")
    if host or pid:
        facts.append(("Process", f"{pid} on {make_printable(host)}, {make_printable(run.get('python') or 'Python')}"))
    argv = run.get("argv")
    if has_source and isinstance(argv, list | tuple | np.ndarray) and len(argv):
        facts.append(("Command", make_printable(" ".join(map(str, argv)))))
    for name, title in (("release", "Release"), ("git_commit", "Commit")):
        if run.get(name):
            facts.append((title, make_printable(run[name])))
    return facts


def _find_grown_types(objects: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Return the types whose objects became most more, in bytes, from the first census to the last."""
    known = objects.dropna(subset=["timestamp", "count"])
    if known["timestamp"].nunique() < 2:
        return []
    moments = known["timestamp"]
    ends = [
        known[moments == moment].groupby("type")[["count", "size_bytes"]].sum()
        for moment in (moments.min(), moments.max())
    ]
    before, after = (frame.add_suffix(name) for frame, name in zip(ends, ("_first", "_last"), strict=True))
    both = before.join(after, how="right").fillna(0)
    both = both.astype("float64")
    more = both[both["count_last"] > both["count_first"]]
    order = (more["size_bytes_last"] - more["size_bytes_first"]).sort_values(ascending=False, kind="stable")
    rows = more.loc[order[order >= MIN_TYPE_GROWTH_BYTES].index[:MAX_TYPES]]
    return [(str(name), int(row["count_first"]), int(row["count_last"])) for name, row in rows.iterrows()]


def _format_moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
