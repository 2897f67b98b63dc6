"""The growth of a line in a report, against what real programs counted themselves, in each way to find lines."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from processes import running

from memanalysis import open_ledger
from memanalysis.capture.sampler import why_unavailable
from memanalysis.reports.facts import describe_line_growth
from memanalysis.reports.make_report import report
from memanalysis.units import MIB

ROOT = Path(__file__).parents[2]
BLOCK_BYTES = 256 * 1024
PROGRAM = """
import os, signal, sys, time
from memanalysis import watch
KEPT = []
trace, end, mib_first, blocks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
every_s = float(sys.argv[5])
recorder = watch(
    "api", ledger="ledger", interval=0.05, trace=trace, snapshot_interval=every_s, max_overhead=0.5, seal=False
)
recorder.start()
FIRST = [bytearray(1024 * 1024) for _ in range(mib_first)]
def keep():
    KEPT.append(bytearray(256 * 1024))
with open("truth.txt", "w", buffering=1) as truth:
    for _ in range(blocks):
        keep()
        truth.write(f"{time.time()}\\n")
        time.sleep(0.01)
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
recorder.stop()
"""
KEEP_LINE = 1 + PROGRAM.splitlines().index("    KEPT.append(bytearray(256 * 1024))")

pytestmark = pytest.mark.slow


def grow(folder, *, trace, end, mib_first=20, blocks=240, every_s=0.2):
    """Return the section of a program that kept blocks of 256 KiB, and the times at which it had each of them."""
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py", trace, end, str(mib_first), str(blocks), str(every_s)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)) as process:
        process.wait(120)
    had = pd.to_datetime(np.loadtxt(folder / "truth.txt", ndmin=1), unit="s", utc=True)
    return report(folder / "ledger").sections[0], had


def find_line(section):
    found = section.sites[section.sites["line"] == KEEP_LINE]
    assert len(found) == 1
    return found.iloc[0]


def read_error_bytes(folder):
    """Return three standard errors of the difference of two sizes of the line, as its ledger states them."""
    sites = open_ledger(folder / "ledger").read("sites")
    errors = sites.loc[sites["line"] == KEEP_LINE, "size_stderr_bytes"].astype("float64").fillna(0.0)
    return 3 * 2**0.5 * errors.max()


@pytest.mark.alone
@pytest.mark.parametrize("end", ["return", "kill"])
@pytest.mark.parametrize("trace", ["sampled", "full"])
def test_growth_is_what_the_program_kept_between_the_two_moments(tmp_path, trace, end):
    """By the times that the program wrote, one each 10 ms. It may have a block more or less by the time of a table."""
    if trace == "sampled" and why_unavailable() is not None:
        pytest.skip("the compiled sampler is not here")
    section, had = grow(tmp_path, trace=trace, end=end)
    line = find_line(section)
    began = 0 if pd.isna(line["judged_from"]) else int((had <= line["judged_from"]).sum())
    ended = int((had <= line["judged_to"]).sum())
    off = 2 * BLOCK_BYTES + read_error_bytes(tmp_path)

    assert line["growth_bytes"] == pytest.approx((ended - began) * BLOCK_BYTES, abs=off)
    assert line["last_bytes"] == pytest.approx(ended * BLOCK_BYTES, abs=off)
    assert line["growth_bytes"] == line["last_bytes"] - line["first_bytes"]
    assert line["growth_bytes"] > 10 * MIB
    described = describe_line_growth(section)
    assert line["judged_to"].strftime("held at %Y-%m-%d %H:%M:%S UTC") in described
    later_s = (line["judged_to"] - line["last_table"]).total_seconds()
    assert (line["last_table"].strftime("The last table is of %H:%M:%S") in described) == (later_s >= 1)


def test_of_windows_growth_is_estimated_from_that_of_the_whole_run(tmp_path):
    """Memory that no window saw is shared out as that which one saw."""
    section, had = grow(tmp_path, trace="windows", end="return", mib_first=0)
    line = find_line(section)

    assert line["growth_bytes"] == line["last_bytes"]
    assert line["growth_bytes"] == pytest.approx(len(had) * BLOCK_BYTES, rel=0.25)
    assert describe_line_growth(section).startswith("Sizes are estimates up to ")


def test_a_run_too_short_to_be_judged_shows_what_its_only_table_has(tmp_path):
    """The table is of its end: 4 MiB since recording began, and nothing was called a leak."""
    section, _ = grow(tmp_path, trace="full", end="return", mib_first=0, blocks=16, every_s=60)
    line = find_line(section)

    assert not section.verdict["is_leak"]
    assert line["growth_bytes"] == pytest.approx(16 * BLOCK_BYTES, rel=0.01)
