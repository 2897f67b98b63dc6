"""What watching costs a web service: FastAPI under uvicorn, plain and watched, loaded by turns in one run.

Both services live side by side and are loaded for half a second each, again and again, so that whatever else the
machine does meets both alike; a few such pairs, for one process is a little faster than the next as its memory happens
to lie. Four connections keep the server at work all the time: requests a second are then the server's.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

__all__ = ["measure_service"]

PAIRS = 5
ROUNDS = 10
ROUND_S = 0.5
WARM_UP_S = 1.5
CONNECTIONS = 4
TIMEOUT_S = 60.0
ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "tests" / "watcher" / "web_service.py"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of load gave."""

    requests_per_s: float
    cpu_per_request_s: float


def measure_service() -> list[list[str]]:
    """Requests a second and processor time a request, watched beside plain, medians over the pairs of rounds."""
    rounds: list[tuple[Round, Round]] = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        for pair in range(PAIRS):
            rounds += _measure_pair(Path(folder) / str(pair), ledger)
        windows = sum(
            path.read_text().count('"kind":"window"') for path in (ledger / "live" / "events").rglob("*.jsonl")
        )
    speed = median(watched.requests_per_s / plain.requests_per_s for plain, watched in rounds)
    cpu = median(watched.cpu_per_request_s / plain.cpu_per_request_s for plain, watched in rounds)
    plain_speed = median(plain.requests_per_s for plain, _ in rounds)
    plain_cpu = median(plain.cpu_per_request_s for plain, _ in rounds)
    return [
        ["FastAPI service, requests a second", "", f"{plain_speed:.0f}"],
        [f"  watched (windows opened: {windows})", "0.95 x", f"{speed:.3f} x"],
        ["FastAPI service, processor time a request", "", f"{plain_cpu * 1e6:.0f} µs"],
        ["  watched, before growth is suspected", "", f"{cpu:.3f} x"],
    ]


def _measure_pair(folder: Path, ledger: Path) -> list[tuple[Round, Round]]:
    """Load a plain and a watched service in turns; who is first changes from round to round."""
    folder.mkdir()
    rounds = []
    with (
        ThreadPoolExecutor(CONNECTIONS) as pool,
        _serve(folder / "plain", "-") as plain,
        _serve(folder / "watched", str(ledger)) as watched,
    ):
        for port in (plain, watched):
            _load(pool, port, WARM_UP_S)
        for number in range(ROUNDS):
            order = (plain, watched) if number % 2 else (watched, plain)
            taken = {port: _load(pool, port, ROUND_S) for port in order}
            rounds.append((taken[plain], taken[watched]))
    return rounds


@contextmanager
def _serve(port_file: Path, ledger: str) -> Iterator[int]:
    """Run the service that does not leak; gives its port. A ledger of ``-`` is a service that is not watched."""
    arguments = [sys.executable, str(SERVICE), "sound", ledger, str(port_file)]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}) as process:
        try:
            while not port_file.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"The service ended with {process.returncode} before it listened.")
                time.sleep(0.05)
            yield int(port_file.read_text())
        finally:
            process.terminate()


def _load(pool: ThreadPoolExecutor, port: int, seconds: float) -> Round:
    """Ask over all connections for so long."""
    cpu_before, started = _read_cpu(port), time.perf_counter()
    until = started + seconds
    requests = sum(pool.map(lambda _: _ask_until(port, until), range(CONNECTIONS)))
    taken = time.perf_counter() - started
    return Round(requests / taken, (_read_cpu(port) - cpu_before) / requests)


def _ask_until(port: int, until: float) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    requests = 0
    while time.perf_counter() < until:
        connection.request("GET", f"/items/{requests}")
        connection.getresponse().read()
        requests += 1
    connection.close()
    return requests


def _read_cpu(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", "/cpu")
    seconds = float(connection.getresponse().read().decode().split(":")[1].rstrip("}"))
    connection.close()
    return seconds
