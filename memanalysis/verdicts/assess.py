"""Assess each service of a ledger: ledger, policy and analysis joined in one call.

Nothing is judged here: the ledger gives the samples, the policy gives budgets and thresholds, `assess_samples` judges.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.policy.model import Policy
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.recorded_limits import find_limits
from memanalysis.verdicts.run_ends import RunEnd, mark_ended, read_run_ends
from memanalysis.verdicts.run_selection import Moment, RunSelection, select_runs
from memanalysis.verdicts.sources import (
    LedgerSource,
    PolicySource,
    find_budgets,
    find_rules,
    resolve_ledger,
    resolve_policy,
)
from memanalysis.verdicts.unreadable import UnreadableRun, add_unreadable

__all__ = ["JUDGED_COLUMNS", "assess", "assess_ledger", "assess_tables", "of_run"]

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

_FAMILY_COLUMNS = ("run_id", "service", "host", "pid", "parent_pid", "program_pid", "started")
"""The columns of ``runs`` that show which processes are one family."""


EVERY_RUN = RunSelection()


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What explains a leak, read when it is first needed."""

    sites: Callable[[], pd.DataFrame]
    events: Callable[[], pd.DataFrame]
    runs: Callable[[], pd.DataFrame] | None = None


def assess(
    ledger_or_frame: LedgerSource | pd.DataFrame,
    *,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    today: date | None = None,
    services: Collection[str] | None = None,
    since: Moment | None = None,
    only_latest: bool = False,
) -> pd.DataFrame:
    """Return the verdicts on a ledger, a row a service and run, and one a family of processes.

    Parameters
    ----------
    ledger_or_frame : Ledger, path, URL or DataFrame
        A ledger, or its ``samples`` table; only a ledger names guilty lines, because they are in its ``sites``.
    policy : path, mapping or Policy, optional
        Gives each service its budget and the thresholds of severity. Without one no budget applies but the limit that
        the samples themselves hold (``limit_bytes``, from the container), and thresholds are the shipped defaults.
    known_leaks : path or entries, optional
        A file of accepted leaks (see `memanalysis.policy.known_leaks_file`). The column ``known`` then says which are
        accepted, which were and are no longer, and which are new. Without one every leak is new.
    today : date, optional
        The day by which entries expire; today in UTC when not given.
    services : collection of str, optional
        Runs of these services only.
    since : float, str or datetime, optional
        Only runs that were still recorded then or later: seconds since 1970, ISO 8601 text or a datetime.
    only_latest : bool
        Of each service only the run that was recorded last, and those beside it, such as workers.

    Returns
    -------
    DataFrame
        Columns as in `memanalysis.analysis.verdict.VERDICT_COLUMNS`. What a ledger holds that cannot be read or judged
        is a row of the shape ``unreadable``, whose sentence names the files and the reasons.

    Raises
    ------
    InvalidArgumentError
        The first argument is neither ledger, path nor frame; runs of a frame were to be selected; the ledger has no
        such service; or ``since`` is no moment.
    LedgerError
        The ledger cannot be read.
    PolicyError
        The policy or the file of known leaks is broken.

    See Also
    --------
    memanalysis.report : The same with charts, breaches and events, as a page.
    memanalysis.assess_series : The verdict on one series of numbers.
    memanalysis.compare : What changed from one ledger to another.

    References
    ----------
    Theil (1950) and Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389: the slope, as the median of pairwise slopes.

    Examples
    --------
    >>> import memanalysis
    >>> verdicts = memanalysis.assess("sample_ledgers/leaking_service")
    >>> verdict = verdicts.iloc[0]
    >>> verdict["shape"], bool(verdict["is_leak"]), int(verdict["responsible_line"])
    ('growing', True, 58)
    >>> print(verdict["sentence"])  # doctest: +ELLIPSIS
    A leak: grows by 2.8 GiB/h (2.7 to 2.9), and its baseline rises in each of 7 windows...

    A policy gives each service a budget, and so the time until it is spent:

    >>> policy = {"memory_budgets": {"global": {"max_memory_mb": 512}}}
    >>> verdicts = memanalysis.assess("sample_ledgers/leaking_service", policy=policy)
    >>> verdicts["time_to_exhaustion_s"].div(60).round(1).tolist()  # in minutes
    [9.2]
    """
    resolved = resolve_policy(policy, call="assess")
    known = resolve_known_leaks(known_leaks, call="assess")
    selection = RunSelection(services=services, since=since, only_latest=only_latest)
    if isinstance(ledger_or_frame, pd.DataFrame):
        if not selection.is_all:
            raise InvalidArgumentError(
                "assess selects runs of a ledger, but got a DataFrame. Pass the rows of the runs that are wanted."
            )
        verdicts = assess_tables(ledger_or_frame, policy=resolved)
    else:
        verdicts = assess_ledger(resolve_ledger(ledger_or_frame, call="assess"), resolved, selection)
    return apply_known_leaks(verdicts, known, today=today)


def assess_ledger(
    ledger: Ledger,
    policy: Policy | None,
    selection: RunSelection = EVERY_RUN,
    *,
    ends: Mapping[tuple[str, str], RunEnd] | None = None,
) -> pd.DataFrame:
    """Judge a ledger's samples; its sites and events are read only where there is a leak to explain.

    ``ends`` are how its runs ended, where they were read before.
    """
    runs = None if selection.is_all else select_runs(ledger, selection)
    samples = _read_judged(ledger)  # the last reading: of what is left out of its columns the damage is a verdict's
    if runs is not None:
        samples = samples.merge(runs, on=["service", "run_id"])
    tables = _Evidence(
        sites=lambda: ledger.sites,
        events=lambda: ledger.read("events", columns=("service", "run_id", "timestamp", "kind", "data")),
        runs=lambda: ledger.read("runs", columns=_FAMILY_COLUMNS),
    )
    verdicts, failed = _assess_runs(samples, tables, policy)
    verdicts = add_unreadable(verdicts, ledger.damage_found, failed)
    return mark_ended(verdicts, read_run_ends(ledger) if ends is None else ends)


def of_run(frame: pd.DataFrame, service: Any, run_id: Any) -> pd.DataFrame:
    """Rows of one run; a run that has no id is all of its service's rows without one."""
    runs = frame["run_id"].isna() if pd.isna(run_id) else (frame["run_id"] == run_id).fillna(value=False)
    services = frame["service"].isna() if pd.isna(service) else (frame["service"] == service).fillna(value=False)
    return frame[services.astype(bool) & runs.astype(bool)]


def _assess_runs(
    samples: pd.DataFrame, tables: _Evidence, policy: Policy | None
) -> tuple[pd.DataFrame, list[UnreadableRun]]:
    """Judge all runs at once; where that fails, each alone, so that one run takes no other down."""
    try:
        read = _judging(samples, policy, tables.events) | {"runs": tables.runs}
        return assess_samples(**read, sites=tables.sites, events=tables.events), []
    except Exception:  # the boundary of a run: whatever its rows hold, the others are judged
        if not {"service", "run_id"} <= set(samples):
            raise
    judged, failed = [], []
    for service, run_id in samples[["service", "run_id"]].drop_duplicates().to_numpy(dtype=object).tolist():
        own = _Evidence(
            sites=_own_rows(tables.sites, service, run_id), events=_own_rows(tables.events, service, run_id)
        )
        try:
            judged.append(_assess_run(of_run(samples, service, run_id), own, policy))
        except Exception as exc:  # as above
            names = [None if pd.isna(name) else str(name) for name in (service, run_id)]
            failed.append((names[0], names[1], f"{type(exc).__name__}: {exc}"))
    if not judged:
        judged = [assess_samples(**_judging(samples.iloc[:0], policy, _no_events))]
    return pd.concat(judged, ignore_index=True), failed


def _assess_run(samples: pd.DataFrame, own: _Evidence, policy: Policy | None) -> pd.DataFrame:
    """Judge one run; where its sites and events prevent that, without them."""
    try:
        return assess_samples(**_judging(samples, policy, own.events), sites=own.sites, events=own.events)
    except Exception as exc:  # the boundary of a run's tables: its samples are judged
        verdicts = assess_samples(**_judging(samples, policy, _no_events))
        note = f" Its sites and events are unreadable: {type(exc).__name__}: {exc}."
        return verdicts.assign(sentence=verdicts["sentence"] + note)


def _own_rows(read: Callable[[], pd.DataFrame], service: Any, run_id: Any) -> Callable[[], pd.DataFrame]:
    return lambda: of_run(read(), service, run_id)


def _read_judged(ledger: Ledger) -> pd.DataFrame:
    """Read the columns that a verdict needs; the wall clock only where the monotonic one is not known throughout."""
    frame = _read_frame(ledger, [column for column in JUDGED_COLUMNS if column != "timestamp"])
    if "elapsed_s" not in frame or not np.isfinite(frame["elapsed_s"]).all():
        frame = _read_frame(ledger, JUDGED_COLUMNS)
    unknown = {"service": None, "run_id": None, "timestamp": pd.NaT, "rss_bytes": np.nan}
    for name in unknown.keys() - set(frame):
        frame[name] = unknown[name]
    return frame


def _read_frame(ledger: Ledger, columns: Sequence[str]) -> pd.DataFrame:
    """Columns as a frame; each is freed in Arrow as soon as the frame has it, so that it is not held twice."""
    rows = ledger.read_unordered("samples", columns=columns)
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


def _judging(samples: pd.DataFrame, policy: Policy | None, events: Callable[[], pd.DataFrame]) -> dict[str, Any]:
    """Arguments of the engine: samples, budgets and thresholds."""
    services = samples["service"].dropna().unique() if policy is not None and "service" in samples else ()
    budgets = find_budgets(policy, services, find_limits=lambda: find_limits(samples, events))
    budgets_bytes = {service: budget.max_bytes for service, budget in budgets.items()}
    return {"samples": samples, "budgets_bytes": budgets_bytes, "rules": find_rules(policy)}
