"""What does a ledger say about each service: ledger, policy and analysis joined in one call.

Nothing is judged here: the ledger gives the samples, the policy gives budgets and thresholds, `assess_samples` judges.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.explain import explain_leaks
from memanalysis.analysis.runs import assess_samples, judge_samples
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.store import Ledger
from memanalysis.policy.model import Policy
from memanalysis.reports.inputs import (
    LedgerSource,
    PolicySource,
    find_budgets,
    find_rules,
    resolve_ledger,
    resolve_policy,
)
from memanalysis.reports.known import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.reports.unreadable import UnreadableRun, add_unreadable

__all__ = ["ENGINES", "JUDGED_COLUMNS", "assess", "assess_ledger", "assess_tables", "of_run"]

JUDGED_COLUMNS = (
    "run_id",
    "service",
    "timestamp",
    "elapsed_s",
    "rss_bytes",
    "limit_bytes",
    "traced_bytes",
    "allocator_free_bytes",
    "tracer_bytes",
)
"""What a verdict looks at; nothing else is read."""

ENGINES = ("pandas",)
"""What can compute the verdicts."""


def assess(
    ledger_or_frame: LedgerSource | pd.DataFrame,
    *,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    today: date | None = None,
    engine: str = "pandas",
) -> pd.DataFrame:
    """Verdicts of a ledger, a row a service and run.

    Parameters
    ----------
    ledger_or_frame : Ledger, path, URL or DataFrame
        A ledger, or its ``samples`` table; only a ledger names guilty lines, for they are in its ``sites``.
    policy : path, mapping or Policy, optional
        Gives each service its budget and the thresholds of severity. Without one no budget applies but the limit that
        the samples themselves hold (``limit_bytes``, from the container), and thresholds are the shipped defaults.
    known_leaks : path or entries, optional
        A file of accepted leaks (see `memanalysis.policy.known`): the column ``known`` then tells what is accepted,
        what was and is no longer, and what is new. Without one every leak is new.
    today : date, optional
        The day by which entries expire; today in UTC when not given.
    engine : str
        What computes: ``"pandas"``.

    Returns
    -------
    DataFrame
        Columns as in `memanalysis.analysis.verdict.VERDICT_COLUMNS`. What a ledger holds that cannot be read or judged
        is a row of the shape ``unreadable``, whose sentence names the files and the reasons.

    Raises
    ------
    InvalidArgumentError
        The engine is unknown, or the first argument is neither ledger, path nor frame.
    LedgerError
        The ledger cannot be read.
    PolicyError
        The policy or the file of known leaks is broken.
    """
    if engine not in ENGINES:
        raise InvalidArgumentError(
            f"assess needs engine= to be one of {', '.join(map(repr, ENGINES))}, but got {engine!r}. Leave it out."
        )
    resolved = resolve_policy(policy, call="assess")
    known = resolve_known_leaks(known_leaks, call="assess")
    if isinstance(ledger_or_frame, pd.DataFrame):
        verdicts = assess_tables(ledger_or_frame, policy=resolved)
    else:
        verdicts = assess_ledger(resolve_ledger(ledger_or_frame, call="assess"), resolved)
    return apply_known_leaks(verdicts, known, today=today)


def assess_ledger(ledger: Ledger, policy: Policy | None) -> pd.DataFrame:
    """Judge a ledger's samples; its sites and events are read only where there is a leak to explain."""
    judged, failed = _judge_runs(_read_judged(ledger), policy)
    leaking = judged.loc[judged["is_leak"].astype(bool), "service"]
    if leaking.empty:
        explained = explain_leaks(judged)
    else:
        services = None if leaking.isna().any() else sorted(set(leaking))
        events = ledger.read("events", columns=("service", "run_id", "kind", "data"), services=services)
        explained = _explain_runs(judged, ledger.read("sites", services=services), events)
    return add_unreadable(explained, ledger.damage_found, failed)


def of_run(frame: pd.DataFrame, service: Any, run_id: Any) -> pd.DataFrame:
    """Rows of one run; a run that has no id is all of its service's rows without one."""
    runs = frame["run_id"].isna() if pd.isna(run_id) else (frame["run_id"] == run_id).fillna(value=False)
    services = frame["service"].isna() if pd.isna(service) else (frame["service"] == service).fillna(value=False)
    return frame[services.astype(bool) & runs.astype(bool)]


def _judge_runs(samples: pd.DataFrame, policy: Policy | None) -> tuple[pd.DataFrame, list[UnreadableRun]]:
    """Judge all runs at once; where that fails, each alone, so that one run takes no other down."""
    try:
        return judge_samples(**_judging(samples, policy)), []
    except Exception as exc:  # the boundary of a run: whatever its rows hold, the others are judged
        if not {"service", "run_id"} <= set(samples):
            raise
        keys = samples[["service", "run_id"]].drop_duplicates().to_numpy(dtype=object).tolist()
        if len(keys) < 2:
            return _judge_none(samples, policy), [_failed(key[0], key[1], exc) for key in keys]
    judged, failed = [], []
    for service, run_id in keys:
        try:
            judged.append(judge_samples(**_judging(of_run(samples, service, run_id), policy)))
        except Exception as exc:  # as above
            failed.append(_failed(service, run_id, exc))
    return pd.concat(judged, ignore_index=True) if judged else _judge_none(samples, policy), failed


def _judge_none(samples: pd.DataFrame, policy: Policy | None) -> pd.DataFrame:
    return judge_samples(**_judging(samples.iloc[:0], policy))


def _failed(service: Any, run_id: Any, exc: Exception) -> UnreadableRun:
    names = [None if pd.isna(name) else str(name) for name in (service, run_id)]
    return names[0], names[1], f"{type(exc).__name__}: {exc}"


def _explain_runs(judged: pd.DataFrame, sites: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Explain all leaks at once; where that fails, each alone, and one that fails without its sites and events."""
    try:
        return explain_leaks(judged, sites=sites, events=events)
    except Exception:  # the boundary of a run: whatever its sites and events hold, the others are explained
        pieces = [
            _explain_run(judged.iloc[[place]].reset_index(drop=True), sites, events) for place in range(len(judged))
        ]
    return pd.concat(pieces, ignore_index=True)


def _explain_run(verdict: pd.DataFrame, sites: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    service, run_id = verdict["service"].iloc[0], verdict["run_id"].iloc[0]
    try:
        return explain_leaks(verdict, sites=of_run(sites, service, run_id), events=of_run(events, service, run_id))
    except Exception as exc:  # as above
        note = f" Its sites and events are unreadable: {type(exc).__name__}: {exc}."
        return explain_leaks(verdict.assign(sentence=verdict["sentence"] + note))


def _read_judged(ledger: Ledger) -> pd.DataFrame:
    """What a verdict looks at; the wall clock is read only where the monotonic one is not known throughout."""
    frame = _read_frame(ledger, [column for column in JUDGED_COLUMNS if column != "timestamp"])
    if "elapsed_s" not in frame or not np.isfinite(frame["elapsed_s"]).all():
        frame = _read_frame(ledger, JUDGED_COLUMNS)
    unknown = {"service": None, "run_id": None, "timestamp": pd.NaT, "rss_bytes": np.nan}
    for name in unknown.keys() - set(frame):
        frame[name] = unknown[name]
    return frame


def _read_frame(ledger: Ledger, columns: Sequence[str]) -> pd.DataFrame:
    """Columns as a frame; each is freed in Arrow as soon as the frame has it, so that it is not held twice."""
    rows = ledger.read_as_it_lies("samples", columns=columns)
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
    return assess_samples(**_judging(samples, policy), sites=sites, events=events)


def _judging(samples: pd.DataFrame, policy: Policy | None) -> dict[str, Any]:
    """Arguments of the engine: samples, budgets and thresholds."""
    services = samples["service"].dropna().unique() if policy is not None and "service" in samples else ()
    budgets_bytes = {service: budget.max_bytes for service, budget in find_budgets(policy, services).items()}
    return {"samples": samples, "budgets_bytes": budgets_bytes, "rules": find_rules(policy)}
