"""A small batch job: it loads a batch of measurements, processes it, releases it, and takes the next.

Memory rises while a batch is loaded, stays while it is processed, and falls when it is released: a saw-tooth of
eight teeth, whose baseline does not rise.
"""

import random
from array import array
from statistics import fmean

import memanalysis
from memanalysis.examples.pace import keep_pace, read_arguments
from memanalysis.units import MIB

SERVICE = "batch_job"

STEPS_PER_SECOND = 20
BATCHES = 8
BATCH_BYTES = 24 * MIB
LOADING_SHARE = 0.4
PROCESSING_SHARE = 0.3


class BatchJob:
    """Processes one batch after another."""

    def __init__(self, steps_per_batch: int, rng: random.Random) -> None:
        self._rng = rng
        self._steps_per_batch = steps_per_batch
        self._loading_steps = max(1, round(LOADING_SHARE * steps_per_batch))
        self._processing_steps = max(1, round(PROCESSING_SHARE * steps_per_batch))
        self._values_per_chunk = BATCH_BYTES // self._loading_steps // array("d").itemsize
        self._batch: list[array[float]] = []
        self.means: list[float] = []

    def step(self, number: int) -> None:
        """Do the next step."""
        step = number % self._steps_per_batch
        if step < self._loading_steps:
            self._batch.append(self._load_chunk())
        elif step < self._loading_steps + self._processing_steps:
            self._process(self._batch[step % len(self._batch)])
        elif self._batch:
            self._batch.clear()
            self.means.clear()

    def _load_chunk(self) -> "array[float]":
        pattern = array("d", (self._rng.gauss(20.0, 2.0) for _ in range(256)))
        return pattern * (self._values_per_chunk // len(pattern) + 1)

    def _process(self, chunk: "array[float]") -> None:
        self.means.append(fmean(chunk[:: len(chunk) // 256 + 1]))


def main() -> None:
    """Work for as long as was asked."""
    arguments = read_arguments("A small batch job whose memory swings up and down.")
    steps_per_batch = max(4, round(STEPS_PER_SECOND * arguments.seconds / BATCHES))
    job = BatchJob(steps_per_batch, random.Random(40))  # noqa: S311  the same run every time
    with memanalysis.watch(
        SERVICE,
        ledger=arguments.ledger,
        policy=arguments.policy,
        interval=arguments.interval_s,
        snapshot_interval=arguments.snapshot_interval_s,
        check_leaks=False,
        trace="full",
    ):
        for number in keep_pace(STEPS_PER_SECOND, seconds=arguments.seconds):
            job.step(number)


if __name__ == "__main__":
    main()
