"""The kernel dies in a cell, and the next one shows in which: real kernels, real SIGKILLs."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernels import Kernel, run_kernel
from needs import needs_sampler

from memanalysis import open_ledger, report
from memanalysis.ledger.reading.live_tail import list_live_runs, read_last_rows

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
GROWING = "held = []\nwhile True:\n    held.append(bytearray(10_000_000))\n    time.sleep(0.02)"


@contextmanager
def watched_kernel(folder: Path) -> Iterator[Kernel]:
    with run_kernel(folder) as kernel:
        for source in ("%load_ext memanalysis", "%memwatch on --interval 0.1", "import time"):
            assert not kernel.run(source).error
        yield kernel


def run_until(kernel: Kernel, folder: Path, source: str, *, event: str, height_bytes: int = 0) -> None:
    """Send a cell, and return once its run has an event of that kind that is so high."""
    kernel.client.kc.execute(source)
    ledger = folder / "memanalysis-ledger"
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        last = read_last_rows(ledger, "events", list_live_runs(ledger)[-1])[-1]
        if last["kind"] == event and (last["data"].get("rss_bytes") or 0) >= height_bytes:
            return
        time.sleep(0.02)
    pytest.fail(f"no event {event} came")


def kill(kernel: Kernel) -> None:
    os.kill(kernel.client.km.provisioner.pid, signal.SIGKILL)


def what_a_new_kernel_shows(folder: Path) -> str:
    with run_kernel(folder) as kernel:
        return kernel.run("%load_ext memanalysis").stdout


@pytest.mark.slow
@needs_sampler
def test_the_next_kernel_names_cell_line_and_memory_once_and_the_report_has_the_source(tmp_path: Path) -> None:
    with watched_kernel(tmp_path) as kernel:
        run_until(kernel, tmp_path, GROWING, event="cell_line", height_bytes=200 * 2**20)
        beside = what_a_new_kernel_shows(tmp_path)  # while the first one lives
        kill(kernel)
    shown = what_a_new_kernel_shows(tmp_path)
    again = what_a_new_kernel_shows(tmp_path)

    assert beside == again == ""
    assert re.match(r"Your last kernel died in In\[4\] at [\d.]+ [MG]iB[ ,]", shown)  # it grows on meanwhile
    assert "line 3: `held.append(bytearray(10_000_000))`" in shown
    ledger = open_ledger(tmp_path / "memanalysis-ledger")
    labels = ledger.samples.sort_values("seq")["label"]
    assert labels.iloc[-1] == "In[4]"
    assert labels.isna().any()
    starts = ledger.events.query("kind == 'cell_start'").sort_values("timestamp")
    assert [each["source"] for each in starts["data"]] == ["import time", GROWING]
    headline = report(ledger).headline
    assert ", in In[4], at " in headline
    assert " under line 3 of In[4]: held.append(bytearray(10_000_000))." in headline
    hidden = report(ledger, source=False)
    assert " under In[4]." in hidden.headline
    assert "bytearray" not in hidden.to_json()
    page = report(ledger).to_markdown()
    assert "In\\[4\\], which ran when the record ends, at line 3" in page
    assert "        held.append(bytearray(10_000_000))" in page
    assert "held.append(bytearray(10_000_000))" in report(ledger).to_html()


@pytest.mark.slow
def test_a_kernel_that_is_shut_down_or_killed_between_cells_has_not_died_in_one(tmp_path: Path) -> None:
    idle, ended = tmp_path / "idle", tmp_path / "ended"
    idle.mkdir()
    ended.mkdir()
    with watched_kernel(idle) as kernel:
        kernel.run("x = 1")
        kill(kernel)
    with watched_kernel(ended) as kernel:
        kernel.client.kc.execute("exit()")

    assert what_a_new_kernel_shows(idle) == ""
    assert what_a_new_kernel_shows(ended) == ""
