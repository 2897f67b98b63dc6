"""What happens when the policy has a program restarted: the evidence is kept, it is recorded, the program is asked.

The evidence is what a program that ends takes with it: the lines and types that hold its memory, who holds them, and
the verdict of the run where its engine is loaded.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from memanalysis.policy.enforcer import BudgetCheck
from memanalysis.response.restart import CHILD, Restart
from memanalysis.schema import RESTART_EXIT_CODE
from memanalysis.watcher.run_request import read_program_pid

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict

__all__ = ["RestartStep"]

_LOGGER = logging.getLogger("memanalysis")


class RestartStep:
    """Restarts the program, once; or records once why it cannot be.

    Parameters
    ----------
    restart : Restart
        Asks the process to leave.
    end_recording : callable
        Ends the run where the program has to be ended.
    """

    def __init__(self, restart: Restart, *, end_recording: Callable[[], object]) -> None:
        self._restart = restart
        self._end_recording = end_recording
        self._is_done = False

    def describe(self) -> str:
        """Return what will be done, as a sentence; empty where it was done before."""
        if self._is_done:
            return ""
        obstacle = self._restart.find_obstacle(read_program_pid())
        if obstacle == CHILD:
            return "The program that was started decides whether all of it is restarted."
        return "It is restarted." if obstacle is None else f"This process is not restarted: {obstacle}."

    def keep_evidence(self, keep: Callable[[], None], judge: "Callable[[], Verdict | None]") -> "Verdict | None":
        """Keep what a program takes with it, where it is to be restarted now, and return the verdict on its run."""
        if self._is_done or self._restart.find_obstacle(read_program_pid()) is not None:
            return None
        try:
            keep()
            return judge()
        except Exception:  # the restart matters more than what is kept of this run
            _LOGGER.warning("Not all evidence could be kept before a restart.", exc_info=True)
            return None

    def perform(
        self,
        reason: str,
        *,
        check: BudgetCheck,
        verdict: "Verdict | None",
        record_event: Callable[..., None],
    ) -> None:
        """Restart the program, because of ``reason``; does nothing where it was done before."""
        if self._is_done:
            return
        outcome, self._is_done = self.describe(), True
        data: dict[str, Any] = {"check": asdict(check), "exit_code": RESTART_EXIT_CODE}
        obstacle = self._restart.find_obstacle(read_program_pid())
        if obstacle is not None:
            advice = "" if obstacle == CHILD else " Register what drains it with recorder.restart.register()."
            message = f"{reason} {outcome}{advice}"
            _LOGGER.warning("%s", message)
            record_event("restart", level="warning", message=message, data=data | {"is_restarted": False})
            return
        data |= {"is_restarted": True, "verdict": None if verdict is None else asdict(verdict)}
        shown = "" if verdict is None else f" {verdict.sentence}"
        record_event("restart", level="critical", message=f"{reason} {outcome}{shown}", data=data)
        self._restart.request(self._end_recording)
