"""Record the sample ledgers again, from real programs and a real notebook kernel.

::

    python sample_ledgers/record.py                      records all of them, in about five minutes
    python sample_ledgers/record.py leaking_service      records one
    python sample_ledgers/record.py --as-recorded        keeps the names of the machine

Unless ``--as-recorded`` is given, each ledger is copied row by row and made neutral on the way: host and kernel release
are left out, absolute paths are shortened to what is the same in every installation (``json/decoder.py``), and the list
of installed packages to those that memanalysis itself needs. No measured value is touched.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from memanalysis import MemoryPolicyManager, PersistentLedgerManager, open_ledger
from memanalysis.capture.wrapper_frames import make_portable
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import TABLES

__all__ = ["RECORDERS", "main"]

HERE = Path(__file__).parent

SECONDS = 60.0
"""Of each program: long enough for the interval of a growth to be narrow, short enough to keep the files small."""

PROGRAMS = {
    "leaking_service": "memanalysis.examples.leaky_service",
    "warming_cache": "memanalysis.examples.warming_cache",
    "batch_job": "memanalysis.examples.batch_job",
}

ARRAY_SNAPSHOTS = 40
ARRAY_INTERVAL_S = 0.25

TASK_INTERVAL_S = 0.1
"""From one task of a kind to the next on a Dask worker."""

SESSION = (
    "%load_ext memanalysis",
    "%memwatch on --trace --interval 0.2 --ledger {ledger} --service exploration",
    "import random\nimport time\n\nreadings = [[random.gauss(20, 5) for _ in range(50)] for _ in range(2_000)]",
    "history = []\n\ndef evaluate(readings):\n    scores = [sum(row) / len(row) for row in readings]\n"
    "    history.append([bytes(500) for _ in scores])\n    return max(scores)",
    "daily = [sorted(row) for row in readings]\ndel daily",
    *["best = evaluate(readings)\ntime.sleep(1.2)"] * 14,
    "len(history)",
    "%memwatch off",
)
"""A notebook session: a cell that is run again and again, and each time keeps what it made in a list of another."""


def main() -> int:
    """Record what was asked for."""
    parser = argparse.ArgumentParser(description="Record the sample ledgers again.")
    parser.add_argument("names", nargs="*", choices=[[], *RECORDERS], help="which (default: all)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write into (default: this script's)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each program runs (default: 60)")
    parser.add_argument("--as-recorded", action="store_true", help="keep host, paths and packages of this machine")
    given = parser.parse_args()
    for name in given.names or RECORDERS:
        sys.stdout.write(f"recording {name} ...\n")
        sys.stdout.flush()
        RECORDERS[name](given.out / name, given.seconds, not given.as_recorded)
    return 0


def record_program(target: Path, seconds: float, neutral: bool) -> None:
    """Run one of the example programs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        command = [sys.executable, "-m", PROGRAMS[target.name], "--seconds", str(seconds), "--ledger", str(ledger)]
        subprocess.run(command, check=True)  # noqa: S603 - our own program
        copy_ledger(ledger, target, neutral=neutral)


def record_session(target: Path, seconds: float, neutral: bool) -> None:
    """Run a notebook in a real kernel; how long it takes is its own affair."""
    import nbformat
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        sources = [source.replace("{ledger}", str(ledger)) for source in SESSION]
        cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": []} for source in sources]
        notebook = nbformat.from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
        NotebookClient(notebook, timeout=60 + seconds, kernel_name="python3").execute()
        copy_ledger(ledger, target, neutral=neutral)


def record_json_array(target: Path, seconds: float, neutral: bool) -> None:
    """Let two programs write one JSON array through the class interface."""
    del seconds, neutral  # it holds seven numbers an entry and a service's name: nothing of a machine
    target.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--array-worker"]
    workers = [
        subprocess.Popen([*command, service, str(target)])  # noqa: S603 - this script
        for service in ("messaging", "vector_database")
    ]
    if any(worker.wait() != 0 for worker in workers):
        raise SystemExit("A program that records the JSON array failed.")


def run_array_worker(service: str, target: Path) -> None:
    """Watch itself through the class interface: messages are released, vectors are retained for ever."""
    config = {"ledger": {"storage_path": str(target)}}
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text("leak_detection:\n  enabled: false\n", encoding="utf-8")
        with MemoryPolicyManager(policy) as manager:
            ledger = PersistentLedgerManager(config)
            held: list[bytearray] = []
            for _ in range(ARRAY_SNAPSHOTS):
                held.extend(bytearray(2_000) for _ in range(150))
                if service == "messaging":
                    held = held[-150:]
                ledger.record_snapshot(service, manager.get_snapshot())
                time.sleep(ARRAY_INTERVAL_S)
            ledger.save_ledger()


def record_workers(target: Path, seconds: float, neutral: bool) -> None:
    """Run tasks on a Dask cluster of two workers: one leaks in some of its tasks, the other holds results alone."""
    from dask.distributed import Client, LocalCluster

    from memanalysis.dask import WatchWorkers  # loads distributed, which the other recordings do not need

    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=folder)
        with cluster, Client(cluster) as client:
            client.register_plugin(WatchWorkers(ledger, interval=0.5))
            results = run_tasks(client, seconds)
            client.gather(results)
        copy_ledger(ledger, target, neutral=neutral)


def run_tasks(client: Any, seconds: float) -> list[Any]:
    """Submit the tasks of both workers, each for a moment of its own, and return their futures."""
    from memanalysis.examples.dask_tasks import load, remember, tokenize

    workers = client.scheduler_info()["workers"]
    leaking, steady = sorted(workers, key=lambda address: str(workers[address]["name"]))
    begin, futures = time.time() + 1, []
    for number in range(int(seconds / TASK_INTERVAL_S)):
        at = begin + number * TASK_INTERVAL_S
        of_steady = (tokenize,) if number % 10 else (tokenize, load)
        for worker, tasks in ((leaking, (remember, tokenize)), (steady, of_steady)):
            futures += [client.submit(task, at, workers=worker, pure=False) for task in tasks]
    return futures


def copy_ledger(source: Path, target: Path, *, neutral: bool) -> None:
    """Write every row of a ledger into a new one, sealed, and in the place of the old."""
    ledger = open_ledger(source)
    make = make_neutral if neutral else dict
    remove_ledger(target)
    for run in rows_of(ledger.runs):
        writer = LedgerWriter(target, run=make(run), flush="manual")
        for table in TABLES:
            if table != "runs":
                frame = ledger.read(table)
                own = frame[frame["run_id"] == run["run_id"]]
                writer.append(table, [make(row) for row in rows_of(own)])
        writer.close(ended=run["ended"])


def remove_ledger(target: Path) -> None:
    """Remove the files of an older recording, and only such files."""
    if target.is_dir():
        for path in sorted(target.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif path.suffix in (".parquet", ".jsonl", ".json"):
                path.unlink()


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of a frame as the writer takes them: plain values, epoch seconds, None where unknown."""
    for row in frame.to_dict("records"):
        yield {str(name): plain(value) for name, value in row.items()}


def plain(value: Any) -> Any:
    """A value of a frame as a plain Python value."""
    if isinstance(value, pd.Timestamp):
        return value.timestamp()
    if isinstance(value, list | dict | str):
        return value
    return None if pd.isna(value) else getattr(value, "item", lambda: value)()


def make_neutral(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a row what identifies the machine; see the docstring of this script."""
    changed = dict(row)
    if "host" in row:
        changed["host"] = None
        changed["platform"] = re.sub(r"^(\w+) \S+ ", r"\1 ", row["platform"] or "")
        changed["argv"] = [PurePath(word).name if PurePath(word).is_absolute() else word for word in row["argv"]]
        needed = {re.split(r"[^\w-]", name)[0].lower() for name in requires("memanalysis") or () if "extra" not in name}
        changed["packages"] = {name: at for name, at in row["packages"].items() if name.lower() in needed}
    if "traceback" in row:
        changed["file"] = make_portable(row["file"])
        changed["traceback"] = [[make_portable(file), *rest] for file, *rest in row["traceback"]]
    if row.get("kind") == "suspect" and row["data"]:
        file, colon, rest = row["data"]["place"].rpartition(":")
        changed["data"] = row["data"] | {"place": make_portable(file) + colon + rest}
        changed["message"] = row["message"].replace(file, make_portable(file))
    return changed


RECORDERS: Mapping[str, Callable[[Path, float, bool], None]] = {
    **dict.fromkeys(PROGRAMS, record_program),
    "notebook_session": record_session,
    "json_array_ledger.json": record_json_array,
    "dask_workers": record_workers,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--array-worker"]:
        run_array_worker(sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(main())
