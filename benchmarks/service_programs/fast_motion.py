"""Watch a service with clocks that run faster: an hour passes for the recorder in a minute of the service."""

import os
import time

from memanalysis import watch
from memanalysis.capture.sample import Clock
from memanalysis.policy.loader import read_default_policy
from memanalysis.watcher.recorder import Recorder

__all__ = ["watch_in_fast_motion"]

INTERVAL_S = 0.1
"""Between two samples, of the machine's clock."""


def watch_in_fast_motion() -> Recorder:
    """Make a recorder with the shipped policy, which looks for a leak every five minutes of its own clock."""
    speed, begun, begun_wall = float(os.environ["SPEED"]), time.monotonic(), time.time()

    def passed_s() -> float:
        return speed * (time.monotonic() - begun)

    policy = read_default_policy()
    plain = watch(
        os.environ["SERVICE"], ledger=os.environ["LEDGER"], policy=policy,
        interval=INTERVAL_S, max_overhead=1.0, seal=False,
    )  # fmt: skip
    clock = Clock(lambda: begun + passed_s(), lambda: begun_wall + passed_s())
    return Recorder(plain.settings, policy=policy, clock=clock)
