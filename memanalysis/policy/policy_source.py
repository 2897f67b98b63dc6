"""Resolve what a verb was given as its policy: a path, a mapping, a `Policy` or nothing."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.loader import read_policy
from memanalysis.policy.model import Policy, parse_policy

__all__ = ["PolicySource", "resolve_policy"]

PolicySource = Policy | Mapping[str, Any] | str | PathLike[str] | None


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
