"""uvicorn, gunicorn and Celery that outgrow their budget drain and are restarted, by the lines that the site shows."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alert_servers import find_free_port
from processes import running

from memanalysis.ledger.reading.ledger import open_ledger

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tasks" / "limits.md"
DEADLINE_S = 120.0
WORK_S = 3.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="these servers drain on SIGTERM"),
    pytest.mark.skipif(not PAGE.exists(), reason="needs a checkout"),
]

POLICY = {
    "memory_budgets": {"services": {"api": "200MB", "shop": "300MB"}},
    "leak_detection": {"enabled": False},
    "alerts": {"channels": ["logging"]},
    "enforcement": {"grace_period_seconds": 0, "hard_limits": {"action": "alert_and_restart"}},
}

APP = f"""
import asyncio, os, time
held = []

async def app(scope, receive, send):
    if scope["type"] == "http":
        held.append(bytearray(b"x" * 250_000_000))
        await asyncio.sleep({WORK_S})
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b"drained"}})

def workers(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        held.append(bytearray(b"x" * 250_000_000))
        time.sleep({WORK_S})
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""

TASK = f"""
app.conf.broker_transport_options = {{"data_folder_in": "queue", "data_folder_out": "queue"}}
held = []

@app.task
def grow():
    import time
    held.append(bytearray(b"x" * 350_000_000))
    time.sleep({WORK_S})
    open("drained", "x").close()

@worker_ready.connect
def order(**_):
    grow.delay()
"""


def read_recipe(name: str) -> str:
    """Return a file of the page: a block that begins with its name."""
    (found,) = re.findall(rf"```text\n# {re.escape(name)}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def start(folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    (folder / "policy.yaml").write_text(json.dumps(POLICY))
    (folder / "app.py").write_text(APP)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder))), "HOME": str(folder)}
    with (folder / "output").open("wb") as output:
        return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=output)


def get(port: int, path: str, process: "subprocess.Popen[bytes]") -> bytes:
    """Ask a server until it listens."""
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
            connection.connect()
        except ConnectionRefusedError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.05)
        else:
            connection.request("GET", path)
            body = connection.getresponse().read()
            connection.close()
            return body


def read_restarts(ledger: Path) -> list[int]:
    """Exit codes of the restarts that a ledger records."""
    events = open_ledger(ledger).events
    return [data["exit_code"] for data in events.loc[events["kind"] == "restart", "data"] if data["is_restarted"]]


def test_uvicorn_answers_the_request_that_it_serves_and_leaves_with_75(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    port = find_free_port()
    (tmp_path / "serve.py").write_text(read_recipe("serve.py").replace("port=8000", f"port={port}"))
    with running(start(tmp_path, "serve.py")) as process:
        assert get(port, "/", process) == b"drained"
        assert process.wait(DEADLINE_S) == 75, (tmp_path / "output").read_text()

    assert read_restarts(tmp_path / "logs" / "api") == [75]


def test_gunicorn_replaces_a_worker_once_that_has_answered_its_request(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    port = find_free_port()
    (tmp_path / "gunicorn.conf.py").write_text(read_recipe("gunicorn.conf.py"))
    with running(start(tmp_path, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "app:workers")) as process:
        first = get(port, "/grow", process)
        until = time.monotonic() + DEADLINE_S
        while get(port, "/", process) == first:
            assert time.monotonic() < until, (tmp_path / "output").read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, (tmp_path / "output").read_text()

    assert read_restarts(tmp_path / "logs" / "api") == [75]


def test_celery_ends_its_running_task_and_leaves_with_75(tmp_path: Path) -> None:
    pytest.importorskip("celery")
    recipe = read_recipe("tasks.py").replace("redis://localhost", "filesystem://")
    (tmp_path / "tasks.py").write_text(recipe + TASK)
    (tmp_path / "queue").mkdir()
    command = ("-m", "celery", "-A", "tasks", "worker", "--concurrency", "1", "--without-mingle", "--without-gossip")
    with running(start(tmp_path, *command)) as process:
        assert process.wait(DEADLINE_S) == 75, (tmp_path / "output").read_text()

    assert (tmp_path / "drained").exists()
    assert read_restarts(tmp_path / "logs" / "shop") == [75]


@pytest.mark.parametrize("module", ["uvicorn", "gunicorn"])
def test_under_run_the_whole_server_drains_and_leaves_with_75(tmp_path: Path, module: str) -> None:
    """Without a line of code for it; of gunicorn the family is over the budget, and the master leaves."""
    pytest.importorskip(module)
    port = find_free_port()
    arguments = {"uvicorn": ["app:app", "--port", str(port)], "gunicorn": ["-b", f"127.0.0.1:{port}", "app:workers"]}
    run = ("-m", "memanalysis", "run", "--policy", "policy.yaml", "--service", "api", "--ledger", "logs/api")
    with running(start(tmp_path, *run, "-m", module, *arguments[module])) as process:
        assert get(port, "/grow", process)
        assert process.wait(DEADLINE_S) == 75, (tmp_path / "output").read_text()

    assert read_restarts(tmp_path / "logs" / "api") == [75]


def test_under_run_celery_ends_its_running_task_and_leaves_with_75(tmp_path: Path) -> None:
    pytest.importorskip("celery")
    (tmp_path / "tasks.py").write_text(
        "from celery import Celery\nfrom celery.signals import worker_ready\n\n"
        f"app = Celery('shop', broker='filesystem://')\n{TASK}"
    )
    (tmp_path / "queue").mkdir()
    run = ("-m", "memanalysis", "run", "--policy", "policy.yaml", "--service", "shop", "--ledger", "logs/shop")
    worker = ("-m", "celery", "-A", "tasks", "worker", "--concurrency", "1", "--without-mingle", "--without-gossip")
    with running(start(tmp_path, *run, *worker)) as process:
        assert process.wait(DEADLINE_S) == 75, (tmp_path / "output").read_text()

    assert (tmp_path / "drained").exists()
    assert read_restarts(tmp_path / "logs" / "shop") == [75]
