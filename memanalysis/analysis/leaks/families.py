"""The verdict on a family of processes as a whole: whether the sum of their memory grows, and which of them grow.

The sum is that of proportional memory (PSS), in which a page that several share is counted once. Resident memory counts
it for each of them, and private memory for none. Members come and go: a restart is no leak, nor are more workers.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.batch_verdict import judge_batch
from memanalysis.analysis.leaks.origin import RunSamples
from memanalysis.analysis.leaks.responsible_line import TableSource, read_table
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import FamilyThresholds, Thresholds
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.schema import PRIVATE_METRIC, PROPORTIONAL_METRIC

if TYPE_CHECKING:
    from memanalysis.analysis.leaks.family_members import Family, Member

__all__ = ["judge_families"]

_LINE_COLUMNS = [
    *(f"responsible_{name}" for name in ("file", "line", "function", "share")),
    *(f"allocated_{name}" for name in ("file", "line", "function", "share")),
    "held_by",
]

Measured = tuple[FloatArray, FloatArray]
"""Epoch seconds and bytes of what was read of one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """What each member of a family added in the judged stretch.

    Parameters
    ----------
    private_bytes : array of float
        Growth of private memory, 0 where it fell.
    of_more_processes : float
        By how many the number of members rose, times the private size of the middle one of the new members.
    private_sum_bytes : float
        Growth of the sum of all private memory, so that the rest of the growth is shared; NaN where it was not read.
    """

    private_bytes: FloatArray
    of_more_processes: float
    private_sum_bytes: float

    @property
    def total(self) -> float:
        """Growth of all members."""
        return float(self.private_bytes.sum())


def judge_families(
    frame: VerdictFrame,
    thresholds: Thresholds,
    *,
    runs: TableSource,
    samples: RunSamples | None,
    limits: FloatArray,
    rules: SeverityRules,
) -> VerdictFrame:
    """Add the role of each process, and a row for each family.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts of runs, with ``service`` and ``run_id`` where there are runs.
    thresholds : Thresholds
        The numbers to judge by; its group ``family``.
    runs : DataFrame or callable, optional
        Rows of the table ``runs``. Without them no family is known.
    samples : RunSamples, optional
        The samples of the runs.
    limits : array of float
        Limit of each run; that of the container is one for the whole family.
    rules : SeverityRules
        Thresholds of severity.

    Returns
    -------
    VerdictFrame
        With ``role`` and ``family_id``, and a row more for each family whose proportional memory was read. A worker
        whose resident memory grows by pages that it shares, while the sum is flat, is no leak (origin ``shared``).
    """
    size = len(frame["is_leak"])
    named = frame | {name: np.full(size, None, dtype=object) for name in ("role", "family_id")}
    named |= {name: np.full(size, np.nan) for name in ("process_count", "growing_count")}
    table = read_table(runs) if size > 1 and samples is not None else None
    if table is None or table.empty or samples is None or not {"parent_pid", "program_pid"} <= set(table):
        return named
    from memanalysis.analysis.leaks.family_members import find_families

    places = {key: i for i, key in enumerate(zip(frame["service"], frame["run_id"], strict=True))}
    read = _Reader(samples)
    # in an order that does not depend on which runs are judged together
    families = find_families(table, places, read.lasted_s, thresholds=thresholds.family)
    for family in sorted(families, key=lambda one: (one.first.service, one.family_id)):
        for member in family.members:
            named["role"][member.place] = "master" if member is family.master else "worker"
            named["family_id"][member.place] = family.family_id
        named = _judge_family(named, family, read, thresholds, limits=limits, rules=rules)
    return named


class _Reader:
    """Reads what is known of one run."""

    def __init__(self, samples: RunSamples) -> None:
        self._samples = samples
        self._stops = np.cumsum(samples.counts)
        self._starts = self._stops - samples.counts
        has_any = samples.counts > 0
        self.lasted_s = np.zeros(samples.counts.size)
        if has_any.any():
            latest_s = np.fmax.reduceat(samples.elapsed_s, self._starts[has_any])  # of a run without times NaN
            self.lasted_s[has_any] = np.fmax(latest_s, 0.0)

    def read(self, member: "Member", column: str) -> Measured:
        """Return the known readings of one column, in the order of time."""
        from memanalysis.analysis.input_frames import known_floats

        piece = slice(int(self._starts[member.place]), int(self._stops[member.place]))
        elapsed_s = self._samples.elapsed_s[piece]
        values = known_floats(self._samples.frame.iloc[piece], column)
        known = np.flatnonzero(np.isfinite(values) & np.isfinite(elapsed_s))
        order = known[np.argsort(elapsed_s[known], kind="stable")]
        return member.started_s + elapsed_s[order], values[order]


def _judge_family(
    frame: VerdictFrame,
    family: "Family",
    read: _Reader,
    thresholds: Thresholds,
    *,
    limits: FloatArray,
    rules: SeverityRules,
) -> VerdictFrame:
    rule = thresholds.family
    shares = [read.read(member, PROPORTIONAL_METRIC) for member in family.members]
    times, total = _sum_readings(family.members, shares, rule)
    if times.size < rule.min_readings:
        return frame
    batch = prepare_series(times - times[0], total, thresholds=thresholds.series)
    first = family.first
    columns = judge_batch(batch, limits[[first.place]], rules, thresholds=thresholds.from_first_evidence())
    row = {name: column[0] for name, column in columns.items()}
    row |= {"service": first.service, "run_id": f"family {family.family_id}", "role": "family"}
    row |= {"family_id": family.family_id, "metric": PROPORTIONAL_METRIC, "origin": "unknown"}
    begin = times[0] + batch.judged_until_s[0] - row["judged_s"]
    private = [read.read(one, PRIVATE_METRIC) for one in family.members]
    growth = _measure_growth(family.members, private, begin, thresholds)
    row |= {"process_count": len(family.members), "growing_count": int((growth.private_bytes > 0).sum())}
    row = _explain(row, frame, family, growth, rule)
    return _append_row(_clear_shared(frame, family, read, row, rule), row)


def _sum_readings(members: "list[Member]", shares: list[Measured], rule: FamilyThresholds) -> Measured:
    """Return the sum over the members that live at each moment; moments with an unknown member are left out."""
    gaps = np.concatenate([np.diff(times) for times, _ in shares if times.size > 1] or [np.zeros(0)])
    begin = min(member.started_s for member in members)
    end = max(member.ended_s for member in members)
    if not gaps.size or end - begin < rule.min_seconds:
        return np.zeros(0), np.zeros(0)
    step_s = max(float(np.median(gaps)), (end - begin) / rule.max_points)
    times = np.arange(begin + step_s / 2, end, step_s)
    total, is_known = np.zeros(times.size), np.ones(times.size, dtype=bool)
    alive = np.zeros(times.size)
    for member, (moments, values) in zip(members, shares, strict=True):
        lives = (times >= member.started_s) & (times <= member.ended_s)
        alive += lives
        if values.size:
            total[lives] += np.interp(times[lives], moments, values)
        else:
            is_known &= ~lives
    is_known &= alive > 0
    return times[is_known], total[is_known]


def _measure_growth(
    members: "list[Member]", private: list[Measured], begin_s: float, thresholds: Thresholds
) -> _Growth:
    """Return what each member added since ``begin_s``, its own warm-up left out."""
    grown = np.zeros(len(members))
    for i, (member, (times, values)) in enumerate(zip(members, private, strict=True)):
        warm_s = member.started_s + thresholds.series.warm_up_share * (member.ended_s - member.started_s)
        after = np.flatnonzero(times >= max(begin_s, warm_s))
        if after.size > 1:
            grown[i] = max(0.0, float(np.median(values[after[-3:]]) - values[after[0]]))
    end_s = max(member.ended_s for member in members)
    edge_s = thresholds.family.edge_share * (end_s - begin_s)
    at_begin, at_end = (
        np.array([member.started_s <= at_s <= member.ended_s for member in members])
        for at_s in (begin_s + edge_s, end_s - edge_s)
    )
    is_new = np.flatnonzero(at_end & ~at_begin).tolist()
    new_sizes = [float(private[i][1][-1]) for i in is_new if private[i][1].size]
    times, private_sum = _sum_readings(members, private, thresholds.family)
    private_sum = private_sum[times >= begin_s]
    return _Growth(
        private_bytes=grown,
        of_more_processes=float(at_end.sum() - at_begin.sum()) * (float(np.median(new_sizes)) if new_sizes else 0.0),
        private_sum_bytes=float(np.median(private_sum[-3:]) - private_sum[0]) if private_sum.size else np.nan,
    )


def _explain(
    row: dict[str, Any], frame: VerdictFrame, family: "Family", growth: _Growth, rule: FamilyThresholds
) -> dict[str, Any]:
    """Return the row of a family with what its growth comes from; only a leak is explained."""
    copies = np.array([frame["origin"][member.place] == "copy-on-write" for member in family.members])
    copied = float(growth.private_bytes[copies].sum())
    grows = row["is_leak"] or row["shape"] in ("slowing", "plateauing", "inconclusive")
    if grows and copied > 0 and copied >= rule.min_share * growth.total:
        return _no_leak(row, Reason.COPIES_ON_WRITE) | {"origin": "copy-on-write", "shape": "growing"}
    if not row["is_leak"]:
        return row
    least = rule.min_share * row["growth_bytes"]
    if growth.total < least <= growth.of_more_processes:
        return _no_leak(row, Reason.MORE_PROCESSES)
    own = [frame["origin"][one.place] for one in family.members if frame["is_leak"][one.place]]
    origin = max(sorted(set(own)), key=own.count) if own else "unknown"
    row = row | _take_line(frame, family, growth)
    found = _find_who_grows(family, growth, row["growth_bytes"], rule)
    line = (Reason.ALLOCATED_BY_LINE,) if row.get("responsible_file") else ()
    return row | {"origin": origin, "reasons": (*row["reasons"], *found, *line)}


def _find_who_grows(
    family: "Family", growth: _Growth, growth_bytes: float, rule: FamilyThresholds
) -> tuple[Reason, ...]:
    """Return the reason that explains most of the growth of a family, none where nothing does."""
    least = rule.min_share * growth_bytes
    if growth.total < least:
        if growth_bytes - growth.private_sum_bytes >= least:
            return (Reason.GROWS_IN_SHARED_MEMORY,)
        by_successors = growth.private_sum_bytes - growth.total - max(0.0, growth.of_more_processes)
        return (Reason.GROWS_WITH_SUCCESSORS,) if by_successors >= least else ()
    of_master = np.array([member is family.master for member in family.members])
    if growth.private_bytes[of_master].sum() >= rule.min_share * growth.total:
        return (Reason.GROWS_IN_MASTER,)
    of_workers = growth.private_bytes[~of_master]
    is_alike = (of_workers >= rule.min_alike_share * of_workers.max()).mean() >= rule.min_alike_workers
    return (Reason.GROWS_IN_EACH_WORKER if is_alike else Reason.GROWS_IN_SOME_WORKERS,)


def _take_line(frame: VerdictFrame, family: "Family", growth: _Growth) -> dict[str, Any]:
    """Return the line of the member that grew most of those whose line is known."""
    for place in np.argsort(-growth.private_bytes, kind="stable").tolist():
        i = family.members[place].place
        if frame["is_leak"][i] and isinstance(frame["responsible_file"][i], str):
            return {name: frame[name][i] for name in _LINE_COLUMNS}
    return {}


def _no_leak(row: dict[str, Any], reason: Reason) -> dict[str, Any]:
    times = {name: np.nan for name in row if name.startswith("time_to_exhaustion")}
    return row | times | {"is_leak": False, "severity": "none", "reasons": (reason,)}


def _clear_shared(
    frame: VerdictFrame, family: "Family", read: _Reader, row: dict[str, Any], rule: FamilyThresholds
) -> VerdictFrame:
    """Return the frame in which members that grow by shared pages alone, while the sum is flat, are no leaks."""
    shared = []
    for member in family.members:
        i = member.place
        if row["is_leak"] or not frame["is_leak"][i] or frame["metric"][i] != "rss_bytes":
            continue
        _, values = read.read(member, PRIVATE_METRIC)
        grown = float(frame["growth_bytes"][i])
        is_private = values.size < rule.min_private_readings or np.ptp(values[1:]) > rule.max_flat_share * grown
        if not is_private and row["growth_bytes"] <= rule.max_flat_share * grown:
            shared.append(i)
    if not shared:
        return frame
    is_shared = np.zeros(len(frame["is_leak"]), dtype=bool)
    is_shared[shared] = True
    reasons = frame["reasons"].copy()
    for i in shared:
        reasons[i] = (Reason.SHARES_PAGES,)
    times = {name: np.where(is_shared, np.nan, frame[name]) for name in frame if name.startswith("time_to_exhaustion")}
    words = {
        name: np.where(is_shared, np.array(value, dtype=object), frame[name])
        for name, value in (("origin", "shared"), ("severity", "none"))
    }
    return frame | times | words | {"is_leak": frame["is_leak"] & ~is_shared, "reasons": reasons}


def _append_row(frame: VerdictFrame, row: dict[str, Any]) -> VerdictFrame:
    """Return the frame with one row more; what the row does not know is unknown there."""
    longer: VerdictFrame = {}
    for name in frame | row:
        column = frame.get(name)
        if column is None:
            column = np.full(len(frame["is_leak"]), np.nan)
        longer[name] = _append(column, row.get(name))
    return longer


def _append(column: NDArray[Any], value: Any) -> NDArray[Any]:
    array = np.asarray(column)
    if array.dtype.kind == "O":
        more = np.empty(1, dtype=object)
        more[0] = value
        return np.concatenate([array, more])
    if array.dtype.kind == "U":
        return np.concatenate([array.astype(object), np.array([value], dtype=object)])
    unknown = {"b": False, "i": 0, "u": 0}.get(array.dtype.kind, np.nan)
    return np.concatenate([array, np.array([unknown if value is None else value], dtype=array.dtype)])
