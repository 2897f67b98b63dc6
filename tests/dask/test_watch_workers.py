"""The plugin watches the processes of a real Dask cluster, from the first task to the end of a worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from needs import needs_sampler
from processes import running

from memanalysis.dask.watch_workers import WatchWorkers
from memanalysis.dask.worker_verdicts import assess_workers
from memanalysis.errors import InvalidArgumentError
from memanalysis.examples.dask_tasks import load, remember, tokenize
from memanalysis.ledger.reading.ledger import open_ledger

ANSWER_S = 120
SHOWN_S = 150
"""Seconds until the leak must be shown, which takes some 15 on a quiet machine."""

TASKS_OF_A_LOG = 400
INTERVAL_S = 0.05
"""Between two tasks of a worker: a machine that does something else misses their moments."""

TASKS_OF_A_BATCH = 120


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return the client of two workers, which are processes of one thread each, under a nanny.

    They keep no profile of their tasks: Dask's fills for an hour.
    """
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environment = {**os.environ, "TMPDIR": str(folder), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    command = [sys.executable, "-m", "dask"]
    of_all = ["--scheduler-file", str(file), "--no-dashboard"]
    of_workers = ["--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)]
    scheduler = subprocess.Popen(
        [*command, "scheduler", "--host", "127.0.0.1", "--port", "0", *of_all], env=environment
    )
    with running(scheduler):
        workers = subprocess.Popen([*command, "worker", *of_all, *of_workers], env=environment)
        with running(workers):
            with Client(scheduler_file=str(file), timeout=ANSWER_S) as client:
                client.wait_for_workers(2, timeout=ANSWER_S)
                yield client
            workers.terminate()
            workers.wait(ANSWER_S)
        scheduler.terminate()
        scheduler.wait(ANSWER_S)


def submit_batch(client: Client, leaking: str, steady: str) -> list[Any]:
    """Submit tasks of both workers, each for a moment of its own, and return the futures of the results to hold."""
    begin = time.time() + 0.5
    futures, held = [], []
    for number in range(TASKS_OF_A_BATCH):
        at = begin + number * INTERVAL_S
        for task, moment in ((remember, at), (tokenize, at + INTERVAL_S / 2)):
            futures.append(client.submit(task, moment, workers=leaking, pure=False))
        futures.append(client.submit(tokenize, at, workers=steady, pure=False))
        if number % 10 == 0:
            held.append(client.submit(load, at, workers=steady, pure=False))
    client.gather(futures)
    return held


@pytest.mark.slow
@pytest.mark.alone
@needs_sampler
def test_a_leaking_kind_of_tasks_is_named_and_results_are_no_growth(client: Client, tmp_path: Path):
    leaking, steady = sorted(client.scheduler_info()["workers"])
    for worker in (leaking, steady):  # fill the logs that Dask keeps of its last tasks
        client.gather(client.map(abs, range(TASKS_OF_A_LOG), workers=worker, pure=False))
    client.register_plugin(WatchWorkers(tmp_path / "ledger", interval=INTERVAL_S, labels={"team": "maps"}))
    held, until = list[Any](), time.monotonic() + SHOWN_S
    while True:
        held += submit_batch(client, leaking, steady)
        workers = assess_workers(tmp_path / "ledger").set_index("worker")
        is_shown = workers["memory"].eq("leak") & workers["task_prefix"].notna()
        if is_shown.any() or time.monotonic() > until:
            break
    client.unregister_worker_plugin(WatchWorkers.name)

    names = {address: str(of["name"]) for address, of in client.scheduler_info()["workers"].items()}
    bad, good = workers.loc[names[leaking]], workers.loc[names[steady]]
    assert (bad["memory"], bad["task_prefix"]) == ("leak", "remember")
    assert bad["bytes_per_task"] == pytest.approx(4_000 * (16 + 8), rel=0.5)  # an object, and its place in the list
    assert good["growth_bytes"] < bad["growth_bytes"] / 4  # Dask's own logs, and not the results that it holds
    assert good["task_prefix"] != "remember"
    ledger = open_ledger(tmp_path / "ledger")
    assert [labels["team"] for labels in ledger.runs["labels"]] == ["maps", "maps"]
    assert ledger.runs["ended"].notna().all()
    assert {data["managed_bytes"] for data in ledger.events.query("kind == 'tasks'")["data"]} > {0}
    threads = client.run(lambda: [thread.name for thread in threading.enumerate()])
    assert [name for names_of_one in threads.values() for name in names_of_one if "memanalysis" in name] == []


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_its_rows_and_its_successor_is_watched(client: Client, tmp_path: Path):
    client.register_plugin(WatchWorkers(tmp_path / "ledger", service="workers", interval=INTERVAL_S))
    victim = next(iter(client.scheduler_info()["workers"]))
    pid = client.run(os.getpid, workers=[victim])[victim]
    client.submit(load, time.time() + 2 * INTERVAL_S, workers=victim, pure=False).result(ANSWER_S)
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(ANSWER_S) if psutil.pid_exists(pid) else None
    client.wait_for_workers(2, timeout=ANSWER_S)
    until = time.monotonic() + ANSWER_S
    while len(runs := open_ledger(tmp_path / "ledger").runs) < 3 and time.monotonic() < until:
        time.sleep(INTERVAL_S)
    client.unregister_worker_plugin(WatchWorkers.name)

    assert pid in runs["pid"].tolist()
    assert len(set(runs["pid"])) == 3
    killed = runs.loc[runs["pid"] == pid, "run_id"].item()
    assert killed in assess_workers(tmp_path / "ledger", services=["workers"])["run_id"].tolist()


def test_wrong_arguments_are_refused_where_the_plugin_is_made(tmp_path: Path):
    with pytest.raises(InvalidArgumentError, match="interval"):
        WatchWorkers(tmp_path, interval=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_is_that_of_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    assert WatchWorkers("ledger").ledger == str(tmp_path / "ledger")
    assert WatchWorkers("s3://bucket/ledger").ledger == "s3://bucket/ledger"
