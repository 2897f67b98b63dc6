"""Checks the latest runs against the policy, or another budget: levels, breaches and when each level is next."""

from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.budgets.breach_forecast import forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.budgets.budget_metric import read_budget_series
from memanalysis.assistant.answer_text import ToolError, fit_answer, plain_value, quote_name
from memanalysis.assistant.questions import AskPolicy
from memanalysis.assistant.served_ledgers import ServedLedgers, read_run, refer_to
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.policy.model import MemoryBudget, MemoryBudgets, Policy
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.run_ends import read_run_ends
from memanalysis.verdicts.run_selection import RunSelection, select_runs
from memanalysis.verdicts.sources import find_budgets

__all__ = ["give_policy"]


def give_policy(served: ServedLedgers, question: AskPolicy) -> str:
    """Return for the latest run of each service its budget, its level, and its breaches."""
    ledger = served.find_ledger(question.ledger)
    services = ledger.services if question.service is None else [served.find_service(ledger, question.service)]
    policy = served.policy
    if question.budget_mb is not None:
        policy = Policy(memory_budgets=MemoryBudgets(global_=MemoryBudget(max_memory_mb=question.budget_mb)))
    if policy is None:
        raise ToolError("No policy is served. Ask with budget_mb, or start memanalysis mcp with --policy FILE.")
    budgets = find_budgets(policy, services, find_limits=lambda: read_limits(ledger, services))
    runs = select_runs(ledger, RunSelection(services=services, only_latest=True))
    ended = {key for key, end in read_run_ends(ledger).items() if end.has_ended}

    def make(place: int) -> dict[str, Any]:
        service, run_id = runs[["service", "run_id"]].iloc[place]
        has_ended = (service, run_id) in ended
        return _judge_run(ledger, service, run_id, budgets[service], has_ended=has_ended)

    head = {"budget_of": "question" if question.budget_mb is not None else "policy"}
    return fit_answer(head, "runs", make, count=len(runs), offset=question.offset)


def _judge_run(ledger: Ledger, service: str, run_id: Any, budget: Budget, *, has_ended: bool) -> dict[str, Any]:
    samples = read_run(ledger, "samples", service, run_id)
    values, metrics = read_budget_series(samples, budget.metric)
    known = np.flatnonzero(np.isfinite(values))
    entry: dict[str, Any] = {
        "service": quote_name(service),
        "run_id": quote_name(run_id),
        "has_ended": has_ended,
        **{f"{name}_bytes": round(getattr(budget, f"{name}_bytes")) for name in ("max", "warning", "critical")},
    }
    if not known.size:
        return {**entry, "level": "unknown"}
    last = float(values[known[-1]])
    breaches = find_breaches(samples, {service: budget})
    forecast = forecast_breaches(samples, {service: budget})
    return {
        **entry,
        "level": "critical" if last >= budget.critical_bytes else "warning" if last >= budget.warning_bytes else "ok",
        "last_bytes": round(last),
        "headroom_bytes": round(budget.max_bytes - last),
        "breaches": len(breaches),
        "worst_breach": _describe_breach(breaches),
        "forecast": None if has_ended else _describe_forecast(forecast),
        "from": refer_to("samples", samples.iloc[known], sorted({str(name) for name in metrics[known]})),
    }


def _describe_breach(breaches: pd.DataFrame) -> dict[str, Any] | None:
    if breaches.empty:
        return None
    worst = breaches.sort_values("worst_bytes", kind="stable").iloc[-1]
    return {
        name: plain_value(worst[name]) if name != "level" else worst[name]
        for name in ("level", "first", "last", "duration_s", "worst_bytes", "headroom_bytes")
    }


def _describe_forecast(forecast: pd.DataFrame) -> list[dict[str, Any]]:
    """Return when each level is next, for those where that is known."""
    known = forecast[forecast["next"].notna()]
    return [
        {"level": row["level"], "method": row["method"]}
        | {name: plain_value(row[name]) for name in ("next", "next_low", "next_high")}
        for row in known.to_dict("records")
    ]
