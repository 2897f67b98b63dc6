"""The post-mortem in the JSON of a report is what its published schema describes: of real processes that ended."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from processes import running

from memanalysis.cli import main
from memanalysis.units import MIB

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="ends are found on Linux")]

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, resource, signal, sys, time
from memanalysis import watch
CACHE = []
recorder = watch("api", ledger="ledger", interval=0.05, trace="full", snapshot_interval=0.2, seal=False)
recorder.start()
def keep():
    CACHE.append(bytearray(1024 * 1024))
for _ in range(40):
    keep()
    time.sleep(0.01)
recorder.snapshot_now()
"""
DEATHS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "killed",
    "os.kill(os.getpid(), signal.SIGTERM)": "signal",
    'raise RuntimeError("no queue")': "exception",
    "resource.setrlimit(resource.RLIMIT_AS, (2 ** 31, 2 ** 31)); CACHE.append(bytearray(2 ** 31))": "memory_limit",
}


def read_schema(capsys):
    assert main(["schema", "report"]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def report(folder, source, capsys):
    """Return the JSON of the report on a program that ended in this way."""
    (folder / "program.py").write_text(PROGRAM + source + "\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(
        subprocess.Popen([sys.executable, "program.py"], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    ) as process:
        process.wait(60)
    main(["report", str(folder / "ledger"), "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("source", DEATHS, ids=DEATHS.values())
def test_real_deaths_are_as_the_schema_describes_them(tmp_path, capsys, source):
    made = report(tmp_path, source, capsys)
    found = made["services"][0]["post_mortem"]

    read_schema(capsys).validate(made)
    assert found["cause"] == DEATHS[source]
    assert found["line"]["held_bytes"] == pytest.approx(40 * MIB, rel=0.05)
    assert found["sources"][0]["lines"]
    assert dict(found["facts"])["Why"].startswith("It ")


def test_a_post_mortem_with_a_key_more_or_less_or_another_cause_is_refused(tmp_path, capsys):
    made = report(tmp_path, 'raise RuntimeError("no queue")', capsys)
    validator = read_schema(capsys)
    found = made["services"][0]["post_mortem"]
    without = {name: value for name, value in found.items() if name != "sentence"}

    def is_valid(post_mortem):
        return validator.is_valid({**made, "services": [{**made["services"][0], "post_mortem": post_mortem}]})

    assert [is_valid(found), is_valid(None)] == [True, True]
    assert not any(
        map(is_valid, ({**found, "extra": 1}, without, {**found, "cause": "bad luck"}, {**found, "line": 7}))
    )
