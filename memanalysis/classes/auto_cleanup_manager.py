"""`AutoCleanupManager`: cleanup by a policy's mapping, with its results as plain dictionaries."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from memanalysis.classes.leak_detector import LeakDetectionResult
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.response.cleanup import Cleanup

__all__ = ["AutoCleanupManager"]


class AutoCleanupManager(Cleanup):
    """Frees memory as the policy's section ``leak_detection.auto_cleanup`` wants.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections.

    Examples
    --------
    >>> from memanalysis import AutoCleanupManager
    >>> cleanup = AutoCleanupManager({"leak_detection": {"auto_cleanup": {"methods": ["resource_cleanup"]}}})
    >>> cleanup.register_resource("pool", lambda: None)
    >>> cleanup.execute_cleanup()["resource_cleanup"]["did"]
    'Ran 1 hook: pool.'
    """

    def __init__(self, config: Mapping[str, Any] | Policy) -> None:
        super().__init__(parse_policy(config, source="config").leak_detection.auto_cleanup)

    def should_trigger_cleanup(self, result: LeakDetectionResult) -> bool:
        """Whether the policy wants memory freed now: a leak was detected, and it grew by the threshold."""
        return result.leak_detected and self.is_due_after_leak(result.memory_growth_mb)

    def execute_cleanup(self) -> dict[str, dict[str, Any]]:
        """Free memory by each method of the policy, in its order.

        Returns
        -------
        dict
            By method: ``did``, ``freed_bytes``, ``measured_by`` and ``errors``, the fields of
            `memanalysis.response.cleanup.CleanupResult`.
        """
        return {name: asdict(result) for name, result in self.run().items()}
