"""`MemoryPolicyManager`: policy, tracing and budget checks of one program, used by hand."""

import os
from types import TracebackType
from typing import Any, Self

from memanalysis.classes.policy_enforcer import MemoryPolicyEnforcer
from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.classes.snapshot_engine import load_snapshot_engine
from memanalysis.classes.tracemalloc_integration import TracemallocIntegration
from memanalysis.errors import CaptureError
from memanalysis.policy.loader import DEFAULT_CONFIG_PATH
from memanalysis.schema import MemorySnapshot

__all__ = ["MemoryPolicyManager"]


class MemoryPolicyManager:
    """Policy, tracing and enforcer of one program; also a context manager.

    Parameters
    ----------
    config_path : path
        The policy file. Where there is none, the packaged default is used and a warning is logged.

    Attributes
    ----------
    initialized : bool
        Whether ``initialize`` has been called, and ``shutdown`` not since.
    loader, tracer, enforcer
        The three that it ties together.
    """

    def __init__(self, config_path: str | os.PathLike[str] = DEFAULT_CONFIG_PATH) -> None:
        self.loader = MemoryPolicyLoader(config_path)
        self.tracer = TracemallocIntegration()
        self.enforcer = MemoryPolicyEnforcer(self.loader)
        self.initialized = False

    def initialize(self) -> bool:
        """Read the policy, and trace if it wants that. True when this was done; False when it had been done before.

        Where the policy wants leaks detected, the engine is loaded before tracing starts; under tracing, it is not.

        Raises
        ------
        PolicyError
            The policy file is there but wrong.
        """
        if self.initialized:
            return False
        self.loader.load()
        policy = self.loader.policy
        tracing = policy.monitoring.tracemalloc
        self.tracer = TracemallocIntegration(tracing.trace_limit)
        if tracing.enabled:
            if policy.leak_detection.enabled:
                load_snapshot_engine(under_tracing=False)
            self.tracer.start()
        self.initialized = True
        return True

    def get_snapshot(self) -> MemorySnapshot:
        """Take a snapshot of this process.

        Raises
        ------
        CaptureError
            Not initialized, or the policy has tracing turned off.
        """
        if not self.initialized:
            raise CaptureError("get_snapshot needs an initialized manager, but it is not. Call initialize() first.")
        if not self.tracer.is_tracing:
            raise CaptureError(
                "get_snapshot needs tracemalloc tracing, but it is off. Set monitoring.tracemalloc.enabled: true in "
                f"{self.loader.config_path}, or call tracer.start()."
            )
        return self.tracer.take_snapshot()

    def check_service(self, service: str, mb: float | None) -> dict[str, Any]:
        """Compare a reading in MB with the budget of a service; see ``MemoryPolicyEnforcer.check_budget``."""
        return self.enforcer.check_budget(service, mb)

    def shutdown(self) -> bool:
        """End tracing if it was started here. True when there was something to end."""
        if not self.initialized:
            return False
        self.initialized = False
        self.tracer.stop()
        return True

    def __enter__(self) -> Self:
        self.initialize()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
