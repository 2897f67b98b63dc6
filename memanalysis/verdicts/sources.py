"""Which ledger, which policy: what a verb was given, resolved once for all of them.

A ledger is a `Ledger`, a path or a URL; a policy is None, a path, a mapping or a `Policy`.
"""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.policy.loader import read_policy
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.units import bytes_from_mb
from memanalysis.verdicts.policy_severity import severity_rules

__all__ = ["LedgerSource", "PolicySource", "find_budgets", "find_rules", "resolve_ledger", "resolve_policy"]

LedgerSource = Ledger | str | PathLike[str]
PolicySource = Policy | Mapping[str, Any] | str | PathLike[str] | None


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


def resolve_policy(source: PolicySource, *, call: str) -> Policy | None:
    """Read or parse what was given; None stays None: no budgets apply.

    Raises
    ------
    InvalidArgumentError
        It is neither a policy, a mapping nor a path.
    PolicyError
        The policy is broken.
    """
    if source is None or isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return parse_policy(source)
    if isinstance(source, (str, PathLike)):
        return read_policy(source)
    raise InvalidArgumentError(
        f"{call} needs policy= as a path, a mapping or a Policy, but got {type(source).__name__}. "
        "Pass the path of a policy file, or None for no budgets."
    )


def find_budgets(policy: Policy | None, services: Iterable[str]) -> dict[str, Budget]:
    """What the policy allows each service, in bytes; nothing without a policy."""
    if policy is None:
        return {}
    budgets = {service: policy.budget_for(service) for service in services}
    return {
        service: Budget(
            max_bytes=bytes_from_mb(budget.max_memory_mb),
            warning_bytes=bytes_from_mb(budget.warning_mb),
            critical_bytes=bytes_from_mb(budget.critical_mb),
        )
        for service, budget in budgets.items()
    }


def find_rules(policy: Policy | None) -> SeverityRules:
    """Thresholds of the policy's ``leak_detection``; the shipped defaults without a policy."""
    return SeverityRules() if policy is None else severity_rules(policy.leak_detection)
