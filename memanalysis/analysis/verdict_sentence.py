"""The sentence of a verdict, written once and last, from its reasons and the other columns."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.units import format_bytes, format_duration, format_growth, format_growth_interval, format_number

__all__ = ["write_sentence"]

Cells = Mapping[str, list[Any]]
"""Columns as lists of plain Python: the cells of numpy are slow to format."""

_FIXED = {
    Reason.LEVELS_OFF: "Rose and is levelling off, as a warm-up or a filling cache does: no leak was shown.",
    Reason.STEPS: "Changed in steps and kept still between them: no leak was shown.",
    Reason.SWINGS: "Swings up and down and its baseline does not rise: no leak was shown.",
    Reason.SHRINKS: "Shrinks: no leak was shown.",
}
"""Sentences without numbers."""

_TOO_EARLY = {
    Reason.TOO_FEW_SAMPLES: "Too early to judge",
    Reason.NOT_IN_EACH_WINDOW: "Too early to judge",
    Reason.STILL_RISES: "Too early to judge",
    Reason.GROWS_SO_FAR: "Growing, but too early to call it a leak",
    Reason.REGAINS_LEVEL: "Growing, but no leak was shown",
    Reason.CREEPS: "Growing, but no leak was shown",
}
"""Beginnings of sentences on what is inconclusive."""


def write_sentence(frame: VerdictFrame, thresholds: Thresholds) -> VerdictFrame:
    """Add the sentence of each verdict: the last step.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with their ``reasons``.
    thresholds : Thresholds
        The numbers that they were judged by.

    Returns
    -------
    VerdictFrame
        With ``sentence``, and ``missing``: what more is needed before there is a verdict, or None. Both depend on the
        other columns alone, so they can be written again after any of these has changed.
    """
    cells = {name: column.tolist() if isinstance(column, np.ndarray) else column for name, column in frame.items()}
    count = len(cells["reasons"])
    missing: list[str | None] = [None] * count
    sentences = []
    for i, reasons in enumerate(cells["reasons"]):
        if reasons[0] in _TOO_EARLY:
            missing[i] = _describe_missing(reasons[0], cells, i, thresholds)
            sentences.append(f"{_TOO_EARLY[reasons[0]]}: needs {missing[i]}.")
        else:
            sentences.append(" ".join([_FIXED.get(reason) or _WRITERS[reason](cells, i) for reason in reasons]))
    return frame | {"missing": _as_objects(missing), "sentence": _as_objects(sentences)}


def _as_objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _describe_missing(reason: Reason, cells: Cells, i: int, thresholds: Thresholds) -> str:
    n_samples, least = cells["n_samples"][i], thresholds.series.min_samples
    if reason is Reason.TOO_FEW_SAMPLES:
        more = int(least - n_samples)
        return f"{more} more sample{'s' if more > 1 else ''}: {int(n_samples)} of at least {least} are there"
    if reason is Reason.GROWS_SO_FAR:
        return f"{_describe_needed(cells, i, thresholds)}, and grew by {format_bytes(cells['growth_bytes'][i])} so far"
    if reason is Reason.STILL_RISES:
        return "a longer record: it was flat, and rises at its end"
    if reason is Reason.REGAINS_LEVEL:
        begin = format_duration(cells["onset_s"][i])
        return f"growth beyond a level that it held before, which it only regains since {begin} into the run"
    if reason is Reason.CREEPS:
        grown = format_bytes(cells["growth_bytes"][i])
        return f"growth by more than {grown}, which is little beside the swing of Python's memory, which does not grow"
    windows = int(cells["windows"][i])
    length = format_duration(cells["judged_s"][i] / (windows + 1))
    return f"a longer record: it grew on the whole, but not in each of {windows} windows of {length}"


def _describe_needed(cells: Cells, i: int, thresholds: Thresholds) -> str:
    """Return what growth needs before it is called a leak."""
    rule, duration_s = thresholds.series, cells["duration_s"][i]
    if cells["n_samples"][i] < rule.min_samples_of_a_leak and duration_s < rule.min_seconds_of_few_samples:
        return f"{rule.min_samples_of_a_leak} samples"
    if duration_s < rule.min_seconds_of_a_leak:
        return format_duration(rule.min_seconds_of_a_leak)
    is_little = cells["growth_bytes"][i] < rule.min_early_bytes_of_a_leak
    if is_little and duration_s < rule.min_seconds_of_few_bytes:
        return f"growth of {format_bytes(rule.min_early_bytes_of_a_leak)}"
    least = min(rule.min_share_of_a_small_leak * cells["latest_bytes"][i], rule.max_small_bytes)
    if cells["growth_bytes"][i] < least and duration_s < rule.min_seconds_of_a_small_share:
        return f"growth of {format_bytes(least)}"
    return "a longer record: it is not steady yet, or fell as far before"


@lru_cache(maxsize=256)
def _format_length(seconds: float) -> str:
    """Return a length of time as text; the series of a fleet mostly have one length."""
    return format_duration(seconds)


def _describe_noise(cells: Cells, i: int) -> str:
    return f"{_describe_trend(cells, i)}, within its noise."


def _describe_small(cells: Cells, i: int) -> str:
    return f"{_describe_trend(cells, i)}, too little to matter."


def _describe_drift(cells: Cells, i: int) -> str:
    rate = f"{format_number(360_000 * cells['slope_bytes_per_s'][i] / cells['latest_bytes'][i], digits=2)} %"
    return (
        f"Drifts: it grew by {format_bytes(cells['growth_bytes'][i])}, {rate} an hour, too little to be called a leak."
    )


def _describe_trend(cells: Cells, i: int) -> str:
    growth = format_bytes(cells["growth_bytes"][i], sign=True)
    return f"Stable: its trend over {_format_length(cells['judged_s'][i])} is {growth}"


def _describe_growth(cells: Cells, i: int) -> str:
    return f"{_describe_rate(cells, i)}, and its baseline rises in each of {int(cells['windows'][i])} windows."


def _describe_growth_on(cells: Cells, i: int) -> str:
    return f"{_describe_rate(cells, i)}. A part of the record shows it, and it has grown on since."


def _describe_growth_of_python(cells: Cells, i: int) -> str:
    return f"{_describe_rate(cells, i)}, and the memory of Python's objects grows steadily."


def _describe_rate(cells: Cells, i: int) -> str:
    slope, low, high = (cells[f"{name}_bytes_per_s"][i] for name in ("slope", "low", "high"))
    rate = format_growth(slope, low, high).removeprefix("+")
    return f"A leak: grows by {rate} ({format_growth_interval(slope, low, high)})"


def _describe_growth_since(cells: Cells, i: int) -> str:
    begin = format_duration(cells["onset_s"][i])
    return f"{_describe_growth(cells, i).removesuffix('.')}, since {begin} into the run; it was flat before."


def _describe_copies(cells: Cells, i: int) -> str:
    copied = format_bytes(cells["growth_bytes"][i])
    return (
        f"No leak of code: {copied} that were shared with another process became its own (copy-on-write), while its "
        "resident memory is flat. Call gc.freeze() before the fork, or keep the data in arrays."
    )


def _describe_shared(cells: Cells, i: int) -> str:
    grown = format_bytes(cells["growth_bytes"][i])
    return (
        f"No leak: it grew by {grown} of memory that it shares with other processes, and that each of them counts; "
        "its private memory and the sum over all of them are flat."
    )


def _describe_more_processes(cells: Cells, i: int) -> str:
    grown, count = format_bytes(cells["growth_bytes"][i]), cells["process_count"][i]
    return (
        f"No leak by itself: the memory of the family grew by {grown} because there are more processes, {count:.0f} in "
        "all, and each keeps its size."
    )


def _describe_master(cells: Cells, i: int) -> str:
    return f"This is the sum over {cells['process_count'][i]:.0f} processes: the master grows."


def _describe_workers(cells: Cells, i: int) -> str:
    return f"This is the sum over {cells['process_count'][i]:.0f} processes: each worker grows alike."


def _describe_some_workers(cells: Cells, i: int) -> str:
    return (
        f"This is the sum over {cells['process_count'][i]:.0f} processes: {cells['growing_count'][i]:.0f} of them grow."
    )


def _describe_shared_memory(cells: Cells, i: int) -> str:
    return (
        f"This is the sum over {cells['process_count'][i]:.0f} processes: the memory that they share grows, "
        "and what each has for itself grows less."
    )


def _describe_successors(cells: Cells, i: int) -> str:
    return (
        f"This is the sum over {cells['process_count'][i]:.0f} processes: those that start later are larger, "
        "while each grows little."
    )


def _describe_threads(cells: Cells, i: int) -> str:
    return _describe_pile(cells, i, "thread")


def _describe_descriptors(cells: Cells, i: int) -> str:
    return f"{_describe_pile(cells, i, 'descriptor')} Close files, sockets and pipes, best in a with statement."


def _describe_pile(cells: Cells, i: int, noun: str) -> str:
    is_own = cells["metric"][i] == f"{noun}_count"
    if not is_own:
        return f"Its {noun}s pile up."
    an_hour = 3600 * cells["slope_count_per_s"][i]
    return (
        f"A leak: {noun}s pile up, {cells['growth_count'][i]:.0f} more after warm-up, {format_number(an_hour)} an hour."
    )


def _describe_free(cells: Cells, i: int) -> str:
    return (
        f"Up to {format_bytes(cells['allocator_free_bytes'][i])} of its resident memory are free in the C allocator: "
        "memanalysis.trim() gives them back, MALLOC_ARENA_MAX=2 or jemalloc keeps them few."
    )


def _describe_slowing(cells: Cells, i: int) -> str:
    slope, low, high = (cells[f"{name}_bytes_per_s"][i] for name in ("slope", "low", "high"))
    rate = format_growth(slope, low, high).removeprefix("+")
    return f"Grows, but ever more slowly: by {rate} on the mean, as a cache that fills does: not yet a leak."


def _describe_full(cells: Cells, i: int) -> str:
    return _describe_state(f"at its limit of {format_bytes(cells['limit_bytes'][i])}", cells, i)


def _describe_overfull(cells: Cells, i: int) -> str:
    limit, latest = cells["limit_bytes"][i], cells["latest_bytes"][i]
    return _describe_state(f"over its limit of {format_bytes(limit)}, by {format_bytes(latest - limit)}", cells, i)


def _describe_state(where: str, cells: Cells, i: int) -> str:
    return f"It was {where} when it ended." if _has_ended(cells, i) else f"It is {where}."


def _describe_time_left(cells: Cells, i: int) -> str:
    time = format_duration(cells["time_to_exhaustion_s"][i])
    if _has_ended(cells, i):
        return f"When it ended it was about {time} from its limit of {format_bytes(cells['limit_bytes'][i])}."
    return f"It reaches its limit of {format_bytes(cells['limit_bytes'][i])} in about {time}."


def _has_ended(cells: Cells, i: int) -> bool:
    return "has_ended" in cells and bool(cells["has_ended"][i])


def _describe_native(cells: Cells, i: int) -> str:
    grown = format_bytes(cells["window_rss_growth_bytes"][i])
    return f"{_describe_survivors(cells, i).removesuffix('.')} of the {grown} by which RSS grew."


def _describe_survivors(cells: Cells, i: int) -> str:
    return f"Native code: in the traced windows Python retains {format_bytes(cells['window_retained_bytes'][i])}."


def _describe_allocation(cells: Cells, i: int) -> str:
    share = cells["responsible_share"][i]
    return f"{share:.0%} of the traced growth comes from {_describe_place(cells, i, 'responsible')}."


def _describe_call(cells: Cells, i: int) -> str:
    own = _describe_allocation(cells, i).removesuffix(".")
    return f"{own}, which allocates it in {_describe_place(cells, i, 'allocated')}."


def _describe_holder(cells: Cells, i: int) -> str:
    return f"Held by {cells['held_by'][i]}."


def _describe_retention(cells: Cells, i: int) -> str:
    return (
        f"It is probably retained by {_describe_place(cells, i, 'responsible')}, where a container grew along with it. "
        f"{cells['allocated_share'][i]:.0%} of the traced growth is allocated in "
        f"{_describe_place(cells, i, 'allocated')}."
    )


def _describe_place(cells: Cells, i: int, role: str) -> str:
    """Return the file with its folder, which is enough for a person, the line and the function."""
    file, line, function = (cells[f"{role}_{name}"][i] for name in ("file", "line", "function"))
    near = "/".join(file.replace("\\", "/").rsplit("/", 2)[-2:])
    return f"{near}:{line}" + (f" in {function}" if function else "")


def _describe_acceptance(cells: Cells, i: int) -> str:
    return f"Accepted until {cells['accepted_until'][i]}: {cells['accepted_reason'][i].rstrip('.')}."


def _describe_expiry(cells: Cells, i: int) -> str:
    return f"Was accepted until {cells['accepted_until'][i]}: {cells['accepted_reason'][i].rstrip('.')}."


_WRITERS: dict[Reason, Callable[[Cells, int], str]] = {
    Reason.RISES_IN_EACH_WINDOW: _describe_growth,
    Reason.GROWS_ON: _describe_growth_on,
    Reason.PYTHON_GROWS: _describe_growth_of_python,
    Reason.GROWS_SINCE_ONSET: _describe_growth_since,
    Reason.SLOWS_DOWN: _describe_slowing,
    Reason.COPIES_ON_WRITE: _describe_copies,
    Reason.SHARES_PAGES: _describe_shared,
    Reason.MORE_PROCESSES: _describe_more_processes,
    Reason.GROWS_IN_MASTER: _describe_master,
    Reason.GROWS_IN_EACH_WORKER: _describe_workers,
    Reason.GROWS_IN_SOME_WORKERS: _describe_some_workers,
    Reason.GROWS_IN_SHARED_MEMORY: _describe_shared_memory,
    Reason.GROWS_WITH_SUCCESSORS: _describe_successors,
    Reason.THREADS_PILE_UP: _describe_threads,
    Reason.DESCRIPTORS_PILE_UP: _describe_descriptors,
    Reason.FREE_IN_ALLOCATOR: _describe_free,
    Reason.DRIFTS: _describe_drift,
    Reason.WITHIN_NOISE: _describe_noise,
    Reason.TOO_SMALL: _describe_small,
    Reason.AT_LIMIT: _describe_full,
    Reason.OVER_LIMIT: _describe_overfull,
    Reason.REACHES_LIMIT: _describe_time_left,
    Reason.NATIVE_IN_WINDOWS: _describe_native,
    Reason.NATIVE_BY_SURVIVORS: _describe_survivors,
    Reason.ALLOCATED_BY_LINE: _describe_allocation,
    Reason.ALLOCATED_FOR_LINE: _describe_call,
    Reason.RETAINED_BY_LINE: _describe_retention,
    Reason.HELD_BY_CHAIN: _describe_holder,
    Reason.ACCEPTED: _describe_acceptance,
    Reason.ACCEPTANCE_EXPIRED: _describe_expiry,
}
