"""Is the policy file another one now? Checked between samples; an edit that is broken changes nothing."""

import logging
from collections.abc import Callable
from typing import Any

from memanalysis.capture.sample import Clock
from memanalysis.errors import PolicyError
from memanalysis.policy.model import Policy
from memanalysis.policy.policy_file import PolicyFile

__all__ = ["PolicyReload"]

_LOGGER = logging.getLogger("memanalysis")

CHECK_INTERVAL_S = 1.0
"""Seconds between two checks of the file; one is a call of stat."""


class PolicyReload:
    """Reads a policy file again when it changes, and records what came of it once.

    Parameters
    ----------
    file : PolicyFile
    clock : Clock
    """

    def __init__(self, file: PolicyFile, *, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._next_check = float("-inf")

    def check(self, in_force: Policy, record_event: Callable[..., None]) -> Policy | None:
        """Return the policy that the file holds now; None where it has not changed, or is broken.

        Parameters
        ----------
        in_force : Policy
            What holds until then.
        record_event : callable
            Writes a change as an event ``policy``.
        """
        now = self._clock.monotonic()
        if now < self._next_check:
            return None
        self._next_check = now + CHECK_INTERVAL_S
        found = self._file.read_if_changed()
        if found is None:
            return None
        if isinstance(found, PolicyError):
            errors = [str(problem) for problem in found.problems]
            first = f"{errors[0]} ({len(errors)} errors in all)" if len(errors) > 1 else errors[0]
            message = f"The policy file has changed and is broken, so the earlier policy stays in force: {first}"
            _LOGGER.warning("%s", message)
            record_event("policy", level="warning", message=message, data={"errors": errors})
            return None
        data = {"policy_sha256": found.sha256, "changes": _list_changes(in_force.to_mapping(), found.to_mapping())}
        message = f"The policy file {self._file.path} has changed and is in force."
        record_event("policy", level="info", message=message, data=data)
        return found


def _list_changes(before: dict[str, Any], after: dict[str, Any], path: str = "") -> dict[str, list[Any]]:
    """Return what each key was and is, by its dotted name; of a section that is there once only, the whole section."""
    changes: dict[str, list[Any]] = {}
    for key in before | after:
        old, new, name = before.get(key), after.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            changes |= _list_changes(old, new, f"{name}.")
        elif old != new:
            changes[name] = [old, new]
    return changes
