"""What reads the samples of a recorder, and how much of the time it may take for family and container."""

import os
from typing import TYPE_CHECKING

from memanalysis.capture.process_groups import GroupReader
from memanalysis.capture.sample import Clock, SampleReader
from memanalysis.watcher.run_request import read_program_pid

if TYPE_CHECKING:
    from memanalysis.policy.model import Policy

__all__ = ["make_run_reader"]

GROUP_SHARE = 0.005
UNNEEDED_GROUP_SHARE = 0.001
"""Share of the time that reading family and container may take, where a budget is held against them and where not."""


def make_run_reader(service: str, policy: "Policy | None", *, clock: Clock) -> SampleReader:
    """Make the reader; of the processes of ``memanalysis run`` the program alone reads family and container."""
    groups = None
    if read_program_pid() in (None, os.getpid()):
        metric = None if policy is None else policy.budget_for(service).metric
        share = GROUP_SHARE if metric in ("auto", "family", "container") else UNNEEDED_GROUP_SHARE
        groups = GroupReader(shares_container=metric == "container", share=share)
    return SampleReader(clock=clock, groups=groups)
