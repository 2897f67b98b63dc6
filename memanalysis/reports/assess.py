"""What does a ledger say about each service: ledger, policy and analysis joined in one call.

Nothing is judged here: the ledger gives the samples, the policy gives budgets and thresholds, `assess_samples` judges.
"""

import pandas as pd

from memanalysis.analysis.origin import explain_by_windows
from memanalysis.analysis.runs import assess_samples, name_guilty
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
        The policy is broken.
    """
    if engine not in ENGINES:
        raise InvalidArgumentError(
            f"assess needs engine= to be one of {', '.join(map(repr, ENGINES))}, but got {engine!r}. Leave it out."
        )
    resolved = resolve_policy(policy, call="assess")
    if isinstance(ledger_or_frame, pd.DataFrame):
        return assess_tables(ledger_or_frame, sites=None, policy=resolved)
    ledger = resolve_ledger(ledger_or_frame, call="assess")
    verdicts = assess_tables(_read_judged(ledger), sites=None, policy=resolved)
    if not verdicts["is_leak"].any():
        return verdicts
    events = ledger.read("events", columns=("service", "run_id", "kind", "data"))
    return explain_by_windows(name_guilty(verdicts, ledger.sites), events)


def _read_judged(ledger: Ledger) -> pd.DataFrame:
    """What a verdict looks at; the wall clock is read only where the monotonic one is not known throughout."""
    without = [column for column in JUDGED_COLUMNS if column != "timestamp"]
    samples = ledger.read_as_it_lies("samples", columns=without)
    if "elapsed_s" not in samples.column_names or samples["elapsed_s"].null_count:
        samples = ledger.read_as_it_lies("samples", columns=JUDGED_COLUMNS)
    frame: pd.DataFrame = samples.to_pandas(split_blocks=True)
    return frame


def assess_tables(samples: pd.DataFrame, *, sites: pd.DataFrame | None, policy: Policy | None) -> pd.DataFrame:
    """Verdicts of tables that were read already, with budgets and thresholds of a policy."""
    services = samples["service"].dropna().unique() if "service" in samples else ()
    return assess_samples(
        samples,
        sites=sites,
        budgets_bytes={service: budget.max_bytes for service, budget in find_budgets(policy, services).items()},
        rules=find_rules(policy),
    )
