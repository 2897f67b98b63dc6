"""A real web service, loaded over loopback: with a leak its line is found, without one no line is named."""

import http.client
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from needs import needs_sampler
from processes import running

from memanalysis import assess
from memanalysis.capture.sampler import why_unavailable
from memanalysis.ledger.reading.ledger import open_ledger

pytestmark = pytest.mark.slow

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

ROOT = Path(__file__).parents[2]
SERVICE = Path(__file__).with_name("web_service.py")
DEADLINE_S = 120.0
LOAD_S = 25.0
REQUESTS_A_SECOND = 150


def names_suspect(ledger):
    """Whether the recorder has named a line; windows come as its overhead budget allows."""
    return ledger.exists() and "suspect" in set(open_ledger(ledger).events["kind"])


def serve_and_load(tmp_path, *, leaks, seconds, trace, **settings):
    """Load the service at a steady pace, the leaking one until a line is named, and end it as a service is ended."""
    port_file = tmp_path / "port"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "INTERVAL": "0.1", "TRACE": trace, **settings}
    process = subprocess.Popen(
        [sys.executable, str(SERVICE), "leaks" if leaks else "sound", "ledger", str(port_file)], cwd=tmp_path,
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with running(process):
        deadline = time.monotonic() + DEADLINE_S
        while not port_file.exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", int(port_file.read_text()), timeout=30)
        started = time.monotonic()
        for number in range(round(REQUESTS_A_SECOND * seconds)):
            is_long_enough = number >= LOAD_S * REQUESTS_A_SECOND and number % (5 * REQUESTS_A_SECOND) == 0
            if leaks and is_long_enough and names_suspect(tmp_path / "ledger"):
                break
            time.sleep(max(0.0, started + number / REQUESTS_A_SECOND - time.monotonic()))
            connection.request("GET", f"/items/{number}")
            assert connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)
        errors = process.stderr.read()
    assert "memanalysis" not in errors, errors
    return open_ledger(tmp_path / "ledger")


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory):
    """The ledgers of services that are loaded beside each other: most of the time each of them waits."""
    programs = {
        "leaky-sampled": (True, "sampled"),
        "sound-sampled": (False, "sampled"),
        "sound-windows": (False, "windows"),
    }
    if why_unavailable() is not None:
        programs = {name: program for name, program in programs.items() if program[1] == "windows"}

    folders = {name: tmp_path_factory.mktemp(name) for name in programs}

    def serve(name):
        leaks, trace = programs[name]
        seconds = DEADLINE_S if leaks else LOAD_S / 2
        return serve_and_load(folders[name], leaks=leaks, seconds=seconds, trace=trace)

    with ThreadPoolExecutor(len(programs)) as pool:
        return dict(zip(programs, pool.map(serve, programs), strict=True))


def check_the_line(ledger, finding):
    line = next(n for n, text in enumerate(SERVICE.read_text().splitlines(), 1) if text.endswith("# the leak"))
    suspect = ledger.events[ledger.events["kind"] == "suspect"]["message"].iloc[0]
    assert suspect.startswith(f"{SERVICE}:{line} in remember {finding}")
    verdict = assess(ledger).iloc[0]
    assert verdict["is_leak"], verdict["sentence"]
    assert (verdict["responsible_file"], verdict["responsible_line"]) == (str(SERVICE), line)


@needs_sampler
def test_a_leak_of_a_few_kilobytes_a_request_is_sampled_and_found_by_its_line(ledgers):
    check_the_line(ledgers["leaky-sampled"], "holds ")


@pytest.mark.alone  # a busy neighbour stretches the windows, whose memory then looks like a cache that fills
def test_a_leak_of_a_few_kilobytes_a_request_is_found_in_windows_by_its_line(tmp_path):
    """Windows may take a quarter of the processor, so that three of them come within half a minute."""
    ledger = serve_and_load(tmp_path, leaks=True, seconds=DEADLINE_S, trace="windows", MAX_OVERHEAD="0.25")

    check_the_line(ledger, "kept memory in each of 3 windows")


def test_the_same_service_without_the_leak_is_never_traced(ledgers):
    ledger = ledgers["sound-windows"]

    assert "window" not in set(ledger.events["kind"])
    assert ledger.samples["traced_bytes"].isna().all()
    assert ledger.sites.empty
    assert not assess(ledger).iloc[0]["is_leak"]


@needs_sampler
def test_of_the_same_service_without_the_leak_no_line_is_a_suspect(ledgers):
    ledger = ledgers["sound-sampled"]

    assert not ledger.events["message"].str.contains("holds").any()
    assert not assess(ledger).iloc[0]["is_leak"]
