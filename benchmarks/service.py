"""What watching costs a web service: FastAPI under uvicorn, loaded while it is watched and while it is not, by turns.

One process, so that both lie alike in memory: two processes of the same program differ by 10 % and more. Four
connections from one thread keep the server at work all the time, so requests a second are the server's. Neighbouring
turns are compared, and the median of many pairs is given with its standard error.
"""

import http.client
import math
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import print_table

__all__ = ["main", "measure_service"]

PAIRS = 150
TURN_S = 0.4
SETTLE_S = 0.3
WARM_UP_S = 1.5
CONNECTIONS = 4
TIMEOUT_S = 60.0
ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "tests" / "watcher" / "web_service.py"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of load gave."""

    requests_per_s: float
    cpu_per_request_s: float


def main() -> None:
    """Print the table."""
    print_table("A FastAPI service under load", ["what", "asked", "measured"], measure_service())


def measure_service() -> list[list[str]]:
    """Requests a second and processor time a request, watched beside not watched."""
    with tempfile.TemporaryDirectory() as folder, _serve(Path(folder) / "port", Path(folder) / "ledger") as port:
        _load(port, WARM_UP_S)
        pairs = [_measure_pair(port, number) for number in range(PAIRS)]
    plain = [each for each, _ in pairs]
    speeds = [watched.requests_per_s / plain.requests_per_s for plain, watched in pairs]
    costs = [watched.cpu_per_request_s / plain.cpu_per_request_s for plain, watched in pairs]
    return [
        ["FastAPI service, requests a second", "", f"{statistics.median(turn.requests_per_s for turn in plain):.0f}"],
        ["  watched, from the first second on", "0.98 x", _describe_ratios(speeds)],
        ["processor time a request", "", f"{statistics.median(turn.cpu_per_request_s for turn in plain) * 1e6:.0f} µs"],
        ["  watched", "", _describe_ratios(costs)],
    ]


def _describe_ratios(ratios: Sequence[float]) -> str:
    """Return their median, with the standard error of a median of values that lie about normally."""
    error = math.sqrt(math.pi / 2) * statistics.stdev(ratios) / math.sqrt(len(ratios))
    return f"{statistics.median(ratios):.3f} x (standard error {error:.3f})"


def _measure_pair(port: int, number: int) -> tuple[Turn, Turn]:
    """Load the service while it is not watched, and while it is; which comes first changes from pair to pair."""
    turns = {}
    for state in ("off", "on") if number % 2 else ("on", "off"):
        _ask(port, f"/watching/{state}")
        _load(port, SETTLE_S)
        turns[state] = _load(port, TURN_S)
    return turns["off"], turns["on"]


@contextmanager
def _serve(port_file: Path, ledger: Path) -> Iterator[int]:
    """Run the service that does not leak; gives its port."""
    arguments = [sys.executable, str(SERVICE), "sound", str(ledger), str(port_file)]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}) as process:
        try:
            while not port_file.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"The service ended with {process.returncode} before it listened.")
                time.sleep(0.05)
            yield int(port_file.read_text())
        finally:
            process.terminate()


def _load(port: int, seconds: float) -> Turn:
    """Ask over all connections for so long: each asks again as soon as it is answered."""
    cpu_before, answers = _read_cpu(port), 0
    with selectors.DefaultSelector() as selector:
        for number in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(_make_request(number))
            selector.register(connection, selectors.EVENT_READ, data=connection)
        started = time.perf_counter()
        while time.perf_counter() < started + seconds:
            for key, _ in selector.select(TIMEOUT_S):
                if key.data.recv(65_536).endswith(b"}"):
                    answers += 1
                    key.data.sendall(_make_request(answers))
        taken_s = time.perf_counter() - started
        for key in list(selector.get_map().values()):
            key.data.close()
    return Turn(answers / taken_s, (_read_cpu(port) - cpu_before) / answers)


def _make_request(number: int) -> bytes:
    return b"GET /items/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n" % number


def _read_cpu(port: int) -> float:
    return float(_ask(port, "/cpu").split(":")[1].rstrip("}"))


def _ask(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"The service answered {path} with {answer.status}: {text}")
    return text


if __name__ == "__main__":
    main()
