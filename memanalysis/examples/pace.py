"""The pace of the example programs, and their command line."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Arguments", "keep_pace", "read_arguments"]

MIN_INTERVAL_S = 0.1
MAX_INTERVAL_S = 1.0
SAMPLES_PER_RUN = 100
SNAPSHOTS_PER_RUN = 10


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line asked for."""

    seconds: float
    ledger: Path
    policy: Path | None

    @property
    def interval_s(self) -> float:
        """Seconds between two samples: a hundred samples per run, at most ten and at least one per second."""
        return min(max(self.seconds / SAMPLES_PER_RUN, MIN_INTERVAL_S), MAX_INTERVAL_S)

    @property
    def snapshot_interval_s(self) -> float:
        """Seconds between two full snapshots."""
        return self.seconds / SNAPSHOTS_PER_RUN


def read_arguments(description: str) -> Arguments:
    """Read the command line that all example programs share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to run (default: 20)")
    parser.add_argument("--ledger", type=Path, required=True, help="directory to record into")
    parser.add_argument("--policy", type=Path, help="memory policy to run under")
    given = parser.parse_args()
    if not 0 < given.seconds < float("inf"):
        parser.error(f"--seconds needs a number above 0, but got {given.seconds:g}")
    return Arguments(given.seconds, given.ledger, given.policy)


def keep_pace(per_second: float, *, seconds: float) -> Iterator[int]:
    """Count 0, 1, 2 … at a steady rate until the time is over; after a delay it catches up."""
    started = time.monotonic()
    for number in range(round(per_second * seconds)):
        delay = started + number / per_second - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        yield number
