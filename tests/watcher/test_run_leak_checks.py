"""A program under ``memanalysis run`` is judged while it goes on where that is asked for, or numpy is its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.policy_runtime import CHECKED_FROM_NOW_ON, WAITS_FOR_NUMPY

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0
POLICY = {
    "memory_budgets": {"services": {"shop": "160MB"}},
    "leak_detection": {"check_interval_seconds": 5, "thresholds": {"memory_growth_mb": 5}},
}
LEAKY = """
import pathlib, sys, time
kept = []
until = time.monotonic() + 100
while time.monotonic() < until and not pathlib.Path("stop").exists():
    kept.append(b"x" * 300_000)
    time.sleep(0.1)
"""
ENDS = "import sys; print('numpy' in sys.modules)"


def start(folder: Path, program: str, *options: str) -> "subprocess.Popen[str]":
    (folder / "policy.yaml").write_text(json.dumps(POLICY))
    (folder / "shop.py").write_text(program)
    command = [sys.executable, "-m", "memanalysis", "run", "--policy", "policy.yaml", "--interval", "0.2"]
    return subprocess.Popen(
        [*command, *options, "--ledger", "ledger", "shop.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "program"),
    [(["--check-leaks"], LEAKY), ([], f"import numpy{LEAKY}")],
    ids=["asked for", "numpy is the program's"],
)
def test_a_leak_is_alerted_while_the_program_goes_on(
    tmp_path: Path, wait_until, options: list[str], program: str
) -> None:
    """3 MB a second reach 160 MB after some 40 s: the leak is known after 10 s, and alerted before any budget is."""
    with running(start(tmp_path, program, *options)) as process:
        wait_until(lambda: read_alerts(tmp_path))
        assert process.poll() is None
        (tmp_path / "stop").touch()
        assert process.wait(DEADLINE_S) == 0

    assert read_alerts(tmp_path)[0].startswith("shop: A leak: grows by ")
    messages = list(open_ledger(tmp_path / "ledger").events.query("kind == 'policy'")["message"])
    assert messages == ([] if options else [WAITS_FOR_NUMPY, CHECKED_FROM_NOW_ON])


def read_alerts(folder: Path) -> list[str]:
    """Messages of the alerts that the program has raised so far."""
    if not (folder / "ledger" / "ledger.json").exists():
        return []
    return list(open_ledger(folder / "ledger").events.query("kind == 'alert'")["message"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "has_numpy"), [((), "False\n"), (("--no-check-leaks",), "False\n"), (("--check-leaks",), "True\n")]
)
def test_numpy_is_loaded_into_the_program_only_where_leaks_are_checked(
    tmp_path: Path, options: tuple[str, ...], has_numpy: str
) -> None:
    with running(start(tmp_path, ENDS, *options)) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, output) == (0, has_numpy)
