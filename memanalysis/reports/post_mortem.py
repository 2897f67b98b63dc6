"""The post-mortem of one run: what died, when and why, what it held, and what to do next.

It leads with one sentence that can be pasted into a ticket. Nothing is judged again: the verdict, the tables and the
end of the run are joined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.reports.death_facts import find_grown_types, format_moment, list_facts
from memanalysis.reports.death_memory import MIN_GROWTH_BYTES, DeathMemory, read_death_memory
from memanalysis.reports.death_sources import read_death_sources
from memanalysis.reports.death_words import describe_cause, list_next_steps
from memanalysis.reports.held_line import HeldLine, find_held_line, grew_outside_python
from memanalysis.reports.later_runs import LaterRuns
from memanalysis.reports.open_cell import OpenCell, find_open_cell
from memanalysis.reports.source_text import SourceText
from memanalysis.reports.verdict_cells import render_place
from memanalysis.units import format_bytes
from memanalysis.verdicts.run_ends import RunEnd

__all__ = ["PostMortem", "make_post_mortem", "write_death_sentence"]


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
    sources : sequence of SourceText
        Its text, that of the lines that called it, and of the line that raised, where their files are here.
    types : sequence of (str, int, int)
        Types whose objects became more, with their numbers in the first census and the last; those first whose own
        bytes grew most.
    next_steps : sequence of str
        What to do, the most useful first.
    later_runs : str or None
        A sentence on the starts of the service since; None where there is none.
    """

    service: str
    run_id: str
    sentence: str
    cause: str
    ended: datetime | None
    last_seen: datetime | None
    facts: Sequence[tuple[str, str]]
    line: HeldLine | None
    sources: Sequence[SourceText]
    types: Sequence[tuple[str, int, int]]
    next_steps: Sequence[str]
    later_runs: str | None


def make_post_mortem(
    end: RunEnd,
    *,
    verdict: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    breaches: pd.DataFrame,
    later_runs: LaterRuns | None = None,
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
    later_runs : LaterRuns, optional
        The starts of the service since.
    has_source : bool
        Whether code and the folders of files may be shown.
    """
    memory, trace = read_death_memory(tables["samples"], verdict), end.run.get("trace")
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
    facts = list_facts(end, memory, line, verdict=verdict, tables=tables, breaches=breaches, has_source=has_source)
    since = None if later_runs is None else later_runs.write_sentence()
    return PostMortem(
        service=make_printable(end.run["service"]),
        run_id=str(end.run["run_id"]),
        sentence=_write_sentence(end, memory, line, cell=cell),
        cause=str(end.cause),
        ended=ended,
        last_seen=memory.last,
        facts=facts if since is None else [*facts, ("Since then", since)],
        line=line,
        sources=read_death_sources(line, end.ending, ended=ended or memory.last) if has_source else (),
        types=[(one.name, one.first, one.last) for one in find_grown_types(tables["objects"])],
        next_steps=list_next_steps(
            end,
            place=place,
            callers=_name_callers(line),
            held_by=held_by,
            limit_share=memory.limit_share,
            is_growing=memory.is_growing,
            is_native=is_native,
            is_traced=trace not in (None, "off"),
            later_run=None if later_runs is None else later_runs.run_id,
        ),
        later_runs=since,
    )


def write_death_sentence(
    end: RunEnd, *, verdict: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], has_source: bool = True
) -> str:
    """Return the first sentence of a post-mortem alone: what died, when, why, and the line.

    The arguments are those of `make_post_mortem`; ``tables`` needs no ``objects``.
    """
    memory = read_death_memory(tables["samples"], verdict)
    line = find_held_line(tables["sites"], tables["samples"], tables["events"], trace=end.run.get("trace"))
    return _write_sentence(end, memory, line, cell=find_open_cell(tables["events"], has_source=has_source))


def _has_grown(cell: OpenCell) -> bool:
    return cell.grown_bytes is not None and cell.grown_bytes >= MIN_GROWTH_BYTES


def _write_sentence(end: RunEnd, memory: DeathMemory, line: HeldLine | None, *, cell: OpenCell | None) -> str:
    run = end.run
    names = [f"pid {run['pid']}"] if run.get("pid") else []
    where = f" on {make_printable(run['host'])}" if run.get("host") else ""
    worker = [f"worker of process {run['program_pid']}"] if end.is_worker else []
    release = [f"release {make_printable(run['release'])}"] if run.get("release") else []
    who = f"{make_printable(run['service'])} ({', '.join([' '.join(names) + where, *worker, *release])})"
    ended = run.get("ended") or memory.last
    when = "" if ended is None else f"{'At' if run.get('ended') else 'After'} {format_moment(ended)} "
    parts = [f"{when}{who} {describe_cause(end, limit_share=memory.limit_share, short=True)}"]
    if cell is not None:
        parts.append(f"in {make_printable(cell.cell)}")
    if memory.last_bytes is not None:
        of_limit = "" if memory.limit_bytes is None else f" of {format_bytes(memory.limit_bytes)}"
        budget = "" if memory.budget_bytes is None else f" (budget {format_bytes(memory.budget_bytes)})"
        parts.append(f"at {format_bytes(memory.last_bytes)}{of_limit}{budget}")
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


def _name_callers(line: HeldLine | None) -> list[str]:
    """Return the lines that called a line, without the folders of files; empty where another line already keeps it."""
    if line is None or line.allocated is not None:
        return []
    return [render_place(*caller, short=True) for caller in line.callers]
