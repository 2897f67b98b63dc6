"""A Celery worker that reads tasks from a folder; run as a program it is who sends them: ``queue_worker SECONDS``."""

import json
import os
import sys
import time
from functools import lru_cache

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from benchmarks.service_programs.fast_motion import watch_in_fast_motion
from memanalysis.watcher.recorder import Recorder

app = Celery("queue_worker", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": os.environ["QUEUE"], "data_folder_out": os.environ["QUEUE"]}

TASKS_PER_S = 20
_recorders: list[Recorder] = []


@app.task(name="work")  # type: ignore[untyped-decorator]  # Celery has no types
def work(number: int) -> int:
    """Build a document of a size that varies, and read it again."""
    rows = [{"row": row, "price": find_price(row * number % 500)} for row in range(200 + number % 300)]
    return len(json.loads(json.dumps(rows)))


@lru_cache(maxsize=256)
def find_price(article: int) -> str:
    """Return what is asked for often."""
    return f"{article * 1.19:.2f} " * 20


@worker_process_init.connect  # type: ignore[untyped-decorator]  # in the process of the pool, which does the work
def start_watching(**_: object) -> None:
    """Record this process."""
    _recorders.append(watch_in_fast_motion())
    _recorders[0].start()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def stop_watching(**_: object) -> None:
    """End the record."""
    for recorder in _recorders:
        recorder.stop()


if __name__ == "__main__":
    until = time.monotonic() + float(sys.argv[1])
    sent = 0
    while time.monotonic() < until:
        app.send_task("work", (sent,))
        sent += 1
        time.sleep(1 / TASKS_PER_S)
