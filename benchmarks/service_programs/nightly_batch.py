"""A batch job that loads, processes and releases one batch after another: ``nightly_batch SECONDS``."""

import random
import sys
import time

from benchmarks.service_programs.fast_motion import watch_in_fast_motion
from memanalysis.examples.batch_job import BATCHES, STEPS_PER_SECOND, BatchJob

if __name__ == "__main__":
    seconds = float(sys.argv[1])
    job = BatchJob(round(STEPS_PER_SECOND * seconds / BATCHES), random.Random(40))
    with watch_in_fast_motion():
        begun, number = time.monotonic(), 0
        while time.monotonic() < begun + seconds:
            job.step(number)
            number += 1
            time.sleep(max(0.0, begun + number / STEPS_PER_SECOND - time.monotonic()))
