"""Resolve the ledger and the policy that a verb was given, once for all verbs.

A ledger is a `Ledger`, a path or a URL; a policy is None, a path, a mapping or a `Policy`.
"""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.policy.model import Policy
from memanalysis.policy.policy_source import PolicySource, resolve_policy
from memanalysis.units import bytes_from_mb
from memanalysis.verdicts.policy_severity import severity_rules

__all__ = ["LedgerSource", "PolicySource", "find_budgets", "find_rules", "resolve_ledger", "resolve_policy"]

LedgerSource = Ledger | str | PathLike[str]


def resolve_ledger(source: LedgerSource, *, call: str) -> Ledger:
    """Open what was given, unless it is open already.

    Raises
    ------
    InvalidArgumentError
        It is neither a ledger nor a path; `call` names the verb in the text.
    """
    if isinstance(source, Ledger):
        return source
    if isinstance(source, (str, PathLike)):
        return open_ledger(source)
    raise InvalidArgumentError(
        f"{call} needs a Ledger, a path or a URL, but got {type(source).__name__}. "
        "Pass what open_ledger() gives, or a path."
    )


def find_budgets(
    policy: Policy | None, services: Iterable[str], *, find_limits: Callable[[], Mapping[str, float]]
) -> dict[str, Budget]:
    """What the policy allows each service, in bytes; nothing without a policy.

    Parameters
    ----------
    policy : Policy or None
    services : iterable of str
    find_limits : callable
        Gives the recorded limit of each service; called where a budget is a share of it.
    """
    if policy is None:
        return {}
    limits = find_limits() if policy.follows_limit else {}
    budgets = {service: policy.budget_for(service).for_limit(limits.get(service)) for service in services}
    return {
        service: Budget(
            max_bytes=bytes_from_mb(budget.max_memory_mb),
            warning_bytes=bytes_from_mb(budget.warning_mb),
            critical_bytes=bytes_from_mb(budget.critical_mb),
            metric=budget.metric,
        )
        for service, budget in budgets.items()
    }


def find_rules(policy: Policy | None) -> SeverityRules:
    """Thresholds of the policy's ``leak_detection``; the shipped defaults without a policy."""
    return SeverityRules() if policy is None else severity_rules(policy.leak_detection)
