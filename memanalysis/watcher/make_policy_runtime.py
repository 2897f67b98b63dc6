"""Put together what holds a run against its policy, and restarts the program."""

from collections.abc import Callable

from memanalysis.capture.sample import Clock
from memanalysis.policy.model import Policy
from memanalysis.policy.policy_file import PolicyFile
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.restart import Restart
from memanalysis.watcher.policy_runtime import PolicyRuntime
from memanalysis.watcher.restart_step import RestartStep
from memanalysis.watcher.settings import UNDELIVERED_FOLDER, Settings, find_ledger_folder

__all__ = ["make_policy_runtime"]


def make_policy_runtime(
    settings: Settings,
    policy: Policy,
    file: PolicyFile | None,
    *,
    clock: Clock,
    restart: Restart,
    end_recording: Callable[[], object],
) -> PolicyRuntime:
    """Make what holds the samples of a recorder against its policy."""
    folder = find_ledger_folder(settings.ledger)
    return PolicyRuntime(
        settings.service,
        policy,
        clock=clock,
        check_leaks=settings.check_leaks,
        file=file,
        outbox=Outbox(folder=None if folder is None else folder / UNDELIVERED_FOLDER),
        ledger_folder=folder,
        restart=RestartStep(restart, end_recording=end_recording),
    )
