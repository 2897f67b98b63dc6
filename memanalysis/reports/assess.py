"""What does a ledger say about each service: ledger, policy and analysis joined in one call.

Nothing is judged here: the ledger gives the samples, the policy gives budgets and thresholds, `assess_samples` judges.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.run_verdicts import assess_samples
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

__all__ = ["ENGINES", "assess", "assess_tables"]

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
        Columns as in `memanalysis.analysis.verdict.VERDICT_COLUMNS`.

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
        verdicts = _assess_ledger(resolve_ledger(ledger_or_frame, call="assess"), resolved)
    return apply_known_leaks(verdicts, known, today=today)


def _assess_ledger(ledger: Ledger, policy: Policy | None) -> pd.DataFrame:
    """Judge a ledger's samples; its sites and events are read only where there is a leak."""
    return assess_samples(
        **_judging(_read_judged(ledger), policy),
        sites=lambda: ledger.sites,
        events=lambda: ledger.read("events", columns=("service", "run_id", "kind", "data")),
    )


def _read_judged(ledger: Ledger) -> pd.DataFrame:
    """What a verdict looks at; the wall clock is read only where the monotonic one is not known throughout."""
    without = [column for column in JUDGED_COLUMNS if column != "timestamp"]
    frame: pd.DataFrame = ledger.read_as_it_lies("samples", columns=without).to_pandas(split_blocks=True)
    if "elapsed_s" not in frame or not np.isfinite(frame["elapsed_s"]).all():
        frame = ledger.read_as_it_lies("samples", columns=JUDGED_COLUMNS).to_pandas(split_blocks=True)
    unknown = {"service": None, "run_id": None, "timestamp": pd.NaT, "rss_bytes": np.nan}
    for name in unknown.keys() - set(frame):
        frame[name] = unknown[name]
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
