"""Do services without a leak raise a leak alert? Three real ones for two hours, in fast motion, beside one that leaks.

Their recorders have clocks that run 60 times faster, the shipped policy and its check every five minutes. The one that
leaks shows that a leak would have been seen: it keeps 100 kB a request.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import print_table
from memanalysis import assess, open_ledger
from memanalysis.units import MIB

__all__ = ["main"]

HOURS = 2.0
SPEED = 60.0
REQUESTS_PER_S = 40
TIMEOUT_S = 120.0
ROOT = Path(__file__).parents[1]
PROGRAMS = "benchmarks.service_programs"


@dataclass(frozen=True, slots=True)
class Service:
    """A service and how it is started; ``load`` is a program that gives it work, ``port`` where it is asked."""

    name: str
    arguments: tuple[str, ...]
    load: tuple[str, ...] = ()
    port: int | None = None
    leaks: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What its ledger holds of a service."""

    service: Service
    hours: float
    n_samples: int
    first_mib: float
    last_mib: float
    n_alerts: int
    verdict: str


def main() -> int:
    """Record them all beside each other, and print what was alerted; gives how many alerts were false or missing."""
    seconds = HOURS * 3600 / SPEED
    ports = find_free_ports(2)
    services = (
        Service("FastAPI", (f"{PROGRAMS}.web_api", str(ports[0])), port=ports[0]),
        Service(
            "Celery",
            ("celery", "-A", f"{PROGRAMS}.queue_worker", "worker", "--concurrency", "1", "--loglevel", "ERROR"),
            load=(f"{PROGRAMS}.queue_worker", str(seconds)),
        ),
        Service("batch job", (f"{PROGRAMS}.nightly_batch", str(seconds))),
        Service("FastAPI that leaks", (f"{PROGRAMS}.web_api", str(ports[1]), "leaks"), port=ports[1], leaks=True),
    )
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.ExitStack() as running:
            for service in services:
                running.enter_context(run(service, Path(folder), seconds))
            time.sleep(seconds)
        recorded = [read(service, Path(folder) / service.name) for service in services]
    header = ["service", "hours", "samples", "resident at begin and end", "leak alerts", "verdict at the end"]
    print_table(f"Real services in fast motion, {SPEED:g} x", header, [describe(one) for one in recorded])
    n_false = sum(one.n_alerts for one in recorded if not one.service.leaks)
    n_missing = sum(one.n_alerts == 0 for one in recorded if one.service.leaks)
    print(f"\nLeak alerts of services that do not leak: {n_false}. Leaks without an alert: {n_missing}.")
    return n_false + n_missing


@contextlib.contextmanager
def run(service: Service, folder: Path, seconds: float) -> Iterator[None]:
    """Run a service and give it work until the block ends."""
    (folder / "queue").mkdir(exist_ok=True)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SPEED": str(SPEED), "QUEUE": str(folder / "queue"),
        "SERVICE": service.name, "LEDGER": str(folder / service.name),
    }  # fmt: skip
    commands = [[sys.executable, "-m", *arguments] for arguments in (service.arguments, service.load) if arguments]
    with contextlib.ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            for command in commands
        ]
        asking = threading.Thread(target=ask, args=(service.port, seconds))
        if service.port is not None:
            asking.start()
        try:
            yield
        finally:
            if service.port is not None:
                asking.join()
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(TIMEOUT_S)


def ask(port: int, seconds: float) -> None:
    """Ask a web service for some pages again and again, at its pace even where the machine is busy."""
    began, number = time.monotonic(), 0
    until = began + seconds
    while time.monotonic() < until:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection,
        ):
            while time.monotonic() < until:
                connection.request("GET", f"/items/{number * 7919 % 1000}")
                connection.getresponse().read()
                number += 1
                time.sleep(max(0.0, began + number / REQUESTS_PER_S - time.monotonic()))
        time.sleep(0.1)


def read(service: Service, path: Path) -> Recorded:
    """Read what a ledger holds of a service."""
    ledger = open_ledger(path)
    samples, events = ledger.samples, ledger.events
    alerts = [data for data in events.loc[events["kind"] == "alert", "data"] if data["fingerprint"] != "budget"]
    verdict = assess(ledger).iloc[0]
    first, last = samples["rss_bytes"].iloc[[0, -1]] / MIB
    shown = f"{verdict['severity']}, {verdict['shape']}" if verdict["is_leak"] else f"no leak, {verdict['shape']}"
    return Recorded(service, samples["elapsed_s"].max() / 3600, len(samples), first, last, len(alerts), shown)


def describe(one: Recorded) -> list[str]:
    """Return a row of the table."""
    return [
        one.service.name,
        f"{one.hours:.1f}",
        f"{one.n_samples:,}",
        f"{one.first_mib:.0f} and {one.last_mib:.0f} MiB",
        str(one.n_alerts),
        one.verdict,
    ]


def find_free_ports(count: int) -> list[int]:
    """Return ports at which nobody listens."""
    with contextlib.ExitStack() as held:
        free = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in free]
