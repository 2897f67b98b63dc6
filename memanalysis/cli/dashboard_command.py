"""``memanalysis dashboard LEDGER``: the explorer in a browser, served by Voilà on this machine with a token."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command
from memanalysis.errors import MemAnalysisError, MissingDependencyError

__all__ = ["command", "make_notebook"]

HOST = "127.0.0.1"
"""Only this machine is served: whoever has the token runs code through the kernel."""

START_WITHIN_S = 60.0
"""Voilà loads for some seconds; beyond this something is wrong."""

POLL_S = 0.1
STOP_WITHIN_S = 10.0

_EXAMPLES = """\
memanalysis dashboard logs/ledger
memanalysis dashboard logs/ledger --policy policy.yaml --port 8866
"""


@click.command(
    "dashboard",
    cls=Command,
    help="Explore a ledger in a browser: ranges, thresholds, comparisons. Voilà serves it on 127.0.0.1 with a token.",
    examples=_EXAMPLES,
    needs=(*ROWS, "matplotlib", "jinja2", "ipywidgets"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.option("--policy", type=PATH, metavar="FILE", help="Policy file with the budgets and thresholds.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Port to serve on (default: a free one).")
def command(ledger: str, policy: str | None, port: int | None) -> int:
    """Serve until it is interrupted."""
    if find_spec("voila") is None:
        raise MissingDependencyError(
            "memanalysis dashboard needs voila, which is not installed. Run: pip install 'memanalysis[voila]'. "
            "In a notebook, memanalysis.explore(ledger) shows the same without it."
        )
    from memanalysis.policy.policy_source import resolve_policy
    from memanalysis.verdicts.sources import resolve_ledger

    resolve_ledger(ledger, call="dashboard")
    resolve_policy(policy, call="dashboard")
    token, port = secrets.token_urlsafe(24), port or _find_free_port()
    notebook = make_notebook(_make_absolute(ledger), None if policy is None else _make_absolute(policy))
    with _serve(notebook, token, port) as server:
        sys.stdout.write(f"Serving {ledger} at http://{HOST}:{port}/?token={token}\nPress Ctrl+C to stop.\n")
        sys.stdout.flush()
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0


def make_notebook(ledger: str, policy: str | None) -> str:
    """Return a notebook whose one cell shows the explorer of a ledger."""
    source = f"import memanalysis\nmemanalysis.explore({ledger!r}, policy={policy!r})"
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "explore",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell | {"metadata": {}, "source": source}], "metadata": {"kernelspec": kernel}}
    return json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5})


@contextmanager
def _serve(notebook: str, token: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Start Voilà; it ends with the block, however that ends. The token is in a file that only this user reads."""
    with tempfile.TemporaryDirectory(prefix="memanalysis-") as name:
        folder = Path(name)
        (folder / "explore.ipynb").write_text(notebook, encoding="utf-8")
        with _run_voila(folder, token, port) as server:
            _wait_until_it_answers(server, folder / "voila.log", port)
            yield server


@contextmanager
def _run_voila(folder: Path, token: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {"token": token, "ip": HOST, "port": port, "open_browser": False}
    config = folder / "config"
    config.mkdir()
    (config / "voila.json").write_text(json.dumps({"Voila": settings}), encoding="utf-8")
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment = {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    before = signal.signal(signal.SIGTERM, _end)
    with (folder / "voila.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own Python, and a file name of ours
            [sys.executable, "-m", "voila", str(folder / "explore.ipynb")],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        signal.signal(signal.SIGTERM, before)


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                _check_it_asks_for_the_token(port)
                return
        time.sleep(POLL_S)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    why = lines[-1] if lines else "it wrote nothing"
    raise MemAnalysisError(f"memanalysis dashboard could not start Voilà on port {port}: {why}. Try another --port.")


def _check_it_asks_for_the_token(port: int) -> None:
    """Raise where a page is served to anybody, as by Voilà on a Jupyter Server before 2.0, which knows no token."""
    connection = HTTPConnection(HOST, port, timeout=START_WITHIN_S)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status < 300:
        raise MemAnalysisError(
            "memanalysis dashboard needs a server that asks for its token, but this one serves anybody. "
            "Run: pip install --upgrade 'memanalysis[voila]'."
        )


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _make_absolute(place: str) -> str:
    """Voilà runs the notebook in a folder of its own; an address stays as it is."""
    return place if "://" in place else str(Path(place).absolute())


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End as by an interrupt: the server is stopped on the way."""
    raise SystemExit(128 + number)
