"""Judge one part of a ledger, wherever it is worked on, and join the verdicts on all parts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.policy.model import Policy
from memanalysis.verdicts.recorded_limits import find_limits
from memanalysis.verdicts.run_spans import join_spans, measure_spans
from memanalysis.verdicts.sources import find_budgets, find_rules
from memanalysis.verdicts.unreadable import UnreadableRun

__all__ = [
    "JUDGED_COLUMNS",
    "PartJob",
    "PartVerdicts",
    "assess_tables",
    "join_verdicts",
    "judge_part",
    "of_run",
    "pick_runs",
]

JUDGED_COLUMNS = (
    "run_id",
    "service",
    "timestamp",
    "elapsed_s",
    "label",
    "rss_bytes",
    "limit_bytes",
    "traced_bytes",
    "sampled_bytes",
    "uss_bytes",
    "pss_bytes",
    "thread_count",
    "descriptor_count",
    "allocator_free_bytes",
    "tracer_bytes",
)
"""The columns that a verdict needs; nothing else is read."""

_KEYS = ["service", "run_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartJob:
    """What is to be judged of a ledger.

    Parameters
    ----------
    part : LedgerPart
        Where its samples are.
    policy : Policy or None
        Gives budgets and thresholds.
    runs : DataFrame
        Rows of the table ``runs``, which show the families.
    chosen : DataFrame, optional
        ``service`` and ``run_id`` of the runs that are asked about; all of the part where it is None.
    limits : mapping, optional
        Recorded limit of each service, where the part does not have all of its runs.
    wants_spans : bool
        Whether it is asked as well when each run was recorded.
    """

    part: LedgerPart
    policy: Policy | None
    runs: pd.DataFrame
    chosen: pd.DataFrame | None = None
    limits: Mapping[str, float] | None = None
    wants_spans: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartVerdicts:
    """Verdicts on a part, the runs that could not be judged, and what of its files was left out.

    ``spans`` are those of `measure_spans`; none where they were not asked for.
    """

    verdicts: pd.DataFrame
    spans: pd.DataFrame
    failed: list[UnreadableRun] = field(default_factory=list)
    damage: list[SkippedRows] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What explains a leak, read when it is first needed."""

    sites: Callable[[Sequence[str | None]], pd.DataFrame]
    events: Callable[[], pd.DataFrame]
    runs: Callable[[], pd.DataFrame] | None = None


def judge_part(ledger: Ledger, job: PartJob) -> PartVerdicts:
    """Judge the samples of a part; its sites and events are read only where there is a leak to explain."""
    part = job.part
    samples, spans = _read_judged(ledger, part, wants_spans=job.wants_spans)
    if job.chosen is not None:
        samples = pick_runs(samples, job.chosen)
    tables = _Evidence(
        sites=lambda run_ids: ledger.read("sites", part=replace(part, run_ids=tuple(run_ids))),
        events=lambda: ledger.read("events", columns=(*_KEYS, "timestamp", "kind", "data"), part=part),
        runs=lambda: job.runs,
    )
    verdicts, failed = _assess_runs(samples, tables, job)
    return PartVerdicts(verdicts=verdicts, spans=spans, failed=failed, damage=ledger.damage_found)


def join_verdicts(parts: Iterable[PartVerdicts]) -> PartVerdicts:
    """Return the verdicts on all parts, runs by service and run, then families."""
    judged = list(parts)
    frames = [one.verdicts for one in judged if len(one.verdicts)] or [judged[0].verdicts]
    joined = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    order = pd.DataFrame({name: joined[name].astype(object) for name in _KEYS})
    order.insert(0, "is_family", joined["role"].eq("family").fillna(value=False).astype(bool))
    rows = order.sort_values(["is_family", *_KEYS], kind="stable", na_position="last").index
    return PartVerdicts(
        verdicts=joined.loc[rows].reset_index(drop=True),
        spans=join_spans(one.spans for one in judged),
        failed=[run for one in judged for run in one.failed],
        damage=list(dict.fromkeys(record for one in judged for record in one.damage)),
    )


def of_run(frame: pd.DataFrame, service: Any, run_id: Any) -> pd.DataFrame:
    """Rows of one run; a run that has no id is all of its service's rows without one."""
    runs = frame["run_id"].isna() if pd.isna(run_id) else (frame["run_id"] == run_id).fillna(value=False)
    services = frame["service"].isna() if pd.isna(service) else (frame["service"] == service).fillna(value=False)
    return frame[services.astype(bool) & runs.astype(bool)]


def _assess_runs(samples: pd.DataFrame, tables: _Evidence, job: PartJob) -> tuple[pd.DataFrame, list[UnreadableRun]]:
    """Judge all runs at once; where that fails, each alone, so that one run takes no other down."""
    try:
        read = _judging(samples, job.policy, tables.events, limits=job.limits) | {"runs": tables.runs}
        return assess_samples(**read, sites=tables.sites, events=tables.events), []
    except Exception:  # the boundary of a run: whatever its rows hold, the others are judged
        if not set(_KEYS) <= set(samples):
            raise
    judged, failed = [], []
    for service, run_id in samples[_KEYS].drop_duplicates().to_numpy(dtype=object).tolist():
        own = _Evidence(
            sites=_own_sites(tables.sites, service, run_id), events=_own_rows(tables.events, service, run_id)
        )
        try:
            judged.append(_assess_run(of_run(samples, service, run_id), own, job.policy))
        except Exception as exc:  # as above
            names = [None if pd.isna(name) else str(name) for name in (service, run_id)]
            failed.append((names[0], names[1], f"{type(exc).__name__}: {exc}"))
    if not judged:
        judged = [assess_samples(**_judging(samples.iloc[:0], job.policy, _no_events))]
    return pd.concat(judged, ignore_index=True), failed


def _assess_run(samples: pd.DataFrame, own: _Evidence, policy: Policy | None) -> pd.DataFrame:
    """Judge one run; where its sites and events prevent that, without them."""
    try:
        return assess_samples(**_judging(samples, policy, own.events), sites=own.sites, events=own.events)
    except Exception as exc:  # the boundary of a run's tables: its samples are judged
        verdicts = assess_samples(**_judging(samples, policy, _no_events))
        note = f" Its sites and events are unreadable: {type(exc).__name__}: {exc}."
        return verdicts.assign(sentence=verdicts["sentence"] + note)


def pick_runs(samples: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of some runs; the samples themselves where these are all, which then are not copied."""
    wanted = set(_list_keys(chosen))
    numbers = samples.groupby(_KEYS, dropna=False, observed=True, sort=False).ngroup().to_numpy()
    are_chosen = np.array([key in wanted for key in _list_keys(samples.drop_duplicates(_KEYS))], dtype=bool)
    return samples if are_chosen.all() else samples[are_chosen[numbers]]


def _list_keys(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Return service and run of each row; unknown is None."""
    keys = frame[_KEYS].astype(object)
    return list(keys.where(keys.notna(), None).itertuples(index=False, name=None))


def _own_sites(
    read: Callable[[Sequence[str | None]], pd.DataFrame], service: Any, run_id: Any
) -> Callable[[Sequence[str | None]], pd.DataFrame]:
    return lambda run_ids: of_run(read(run_ids), service, run_id)


def _own_rows(read: Callable[[], pd.DataFrame], service: Any, run_id: Any) -> Callable[[], pd.DataFrame]:
    return lambda: of_run(read(), service, run_id)


def _read_judged(ledger: Ledger, part: LedgerPart, *, wants_spans: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the columns that a verdict needs; the wall clock only where the monotonic one is not known throughout."""
    without = [column for column in JUDGED_COLUMNS if column != "timestamp"]
    frame = _read_frame(ledger, part, JUDGED_COLUMNS if wants_spans else without)
    spans = measure_spans(frame if wants_spans else frame.iloc[:0])
    if "elapsed_s" in frame and np.isfinite(frame["elapsed_s"]).all():
        frame = frame.drop(columns="timestamp", errors="ignore")
    elif not wants_spans:
        frame = _read_frame(ledger, part, JUDGED_COLUMNS)
    unknown = {"service": None, "run_id": None, "timestamp": pd.NaT, "rss_bytes": np.nan}
    for name in unknown.keys() - set(frame):
        frame[name] = unknown[name]
    return frame, spans


def _read_frame(ledger: Ledger, part: LedgerPart, columns: Sequence[str]) -> pd.DataFrame:
    """Columns as a frame; each is freed in Arrow as soon as the frame has it, so that it is not held twice."""
    rows = ledger.read_unordered("samples", columns=columns, part=part)
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def assess_tables(
    samples: pd.DataFrame,
    *,
    sites: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    policy: Policy | None,
) -> pd.DataFrame:
    """Verdicts of tables that were read already, with budgets and thresholds of a policy."""
    read_events = _no_events if events is None else lambda: events
    return assess_samples(**_judging(samples, policy, read_events), sites=sites, events=events)


def _no_events() -> pd.DataFrame:
    return pd.DataFrame({"service": [], "kind": [], "data": []})


def _judging(
    samples: pd.DataFrame,
    policy: Policy | None,
    events: Callable[[], pd.DataFrame],
    *,
    limits: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Arguments of the engine: samples, budgets and thresholds."""
    services = samples["service"].dropna().unique() if policy is not None and "service" in samples else ()
    budgets = find_budgets(
        policy, services, find_limits=lambda: find_limits(samples, events) if limits is None else limits
    )
    budgets_bytes = {service: budget.max_bytes for service, budget in budgets.items()}
    return {"samples": samples, "budgets_bytes": budgets_bytes, "rules": find_rules(policy)}
