"""`MemoryPolicyLoader`: the policy of one project, as a plain mapping."""

from os import PathLike
from pathlib import Path
from typing import Any, cast

from memanalysis.capture.process import read_limit_bytes
from memanalysis.policy.loader import DEFAULT_CONFIG_PATH, read_policy_or_default
from memanalysis.policy.model import MemoryBudget, Policy

__all__ = ["MemoryPolicyLoader"]


class MemoryPolicyLoader:
    """The policy of one project: read when it is first asked for, and again at each `load`.

    Parameters
    ----------
    config_path : path
        The policy file. Where there is none, the packaged default is used and a warning is logged.

    Examples
    --------
    >>> from memanalysis import MemoryPolicyLoader
    >>> MemoryPolicyLoader("config/memory_policy.yaml").get_budget("messaging").max_memory_mb
    100
    """

    def __init__(self, config_path: str | PathLike[str] = DEFAULT_CONFIG_PATH) -> None:
        self.config_path = Path(config_path)
        self._loaded: tuple[dict[str, Any], Policy] | None = None

    def load(self) -> dict[str, Any]:
        """Read the file and return the plain mapping that it holds.

        Raises
        ------
        PolicyError
            The file is there but wrong. What an earlier call has read then stays in use.
        """
        mapping, policy = read_policy_or_default(self.config_path)
        self._loaded = mapping, policy.for_limit(read_limit_bytes())
        return mapping

    @property
    def config(self) -> dict[str, Any]:
        """The plain mapping that the file holds, as detectors and managers take it."""
        return self._read()[0]

    @property
    def policy(self) -> Policy:
        """The checked policy, with the defaults filled in."""
        return self._read()[1]

    def get_budget(self, service: str) -> MemoryBudget:
        """Return the budget of a service; one that the policy does not name has the global budget."""
        return self.policy.budget_for(service)

    def _read(self) -> tuple[dict[str, Any], Policy]:
        if self._loaded is None:
            self.load()
        return cast("tuple[dict[str, Any], Policy]", self._loaded)
