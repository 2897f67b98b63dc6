"""Real services whose lines are found by the sampler and in windows: a leak is named, and without one nothing is."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from needs import needs_sampler

from memanalysis import assess, report
from memanalysis.ledger.reading.ledger import open_ledger

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


PROGRAM = """
import ctypes, sys, time
from memanalysis import watch
kept, cache = [], {}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
class Session:
    pass
def leak():
    session = Session()
    session.page = bytearray(3000)  # the leak
    kept.append(session)
def leak_natively():
    ctypes.memset(libc.malloc(9000), 1, 9000)  # never freed
def work(n):
    cache[n % 10] = [{"n": n} for _ in range(30)]
    page = " ".join(str(i) for i in range(50))
    return len(page)
recorder = watch("api", ledger="ledger", interval=0.05, seal=False, MORE)
with recorder:
    started, n = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        while n < 400 * (time.monotonic() - started):  # requests come at their pace, however slow the machine is
            work(n)
            n += 1
            if LEAKS:
                LEAK()
        time.sleep(0.002)
        if LEAKS and time.monotonic() - started > 15 and DONE:
            break
    recorder.mark(str(len(kept)))
    print(recorder.status().errors, recorder.status().last_error)
"""


def run_service(folder, *, leaks, seconds, leak="leak", trace="windows"):
    script = folder / "service.py"
    source = (
        PROGRAM.replace("LEAKS", str(leaks))
        .replace("SECONDS", str(seconds))
        .replace("MORE", f"max_overhead=0.5, trace={trace!r}")
    )
    source = source.replace("LEAK()", f"{leak}()")
    done = "recorder._observer._windows.n_windows >= 3" if trace == "windows" else "True"
    script.write_text(source.replace("DONE", done))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, timeout=100, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout == "0 None\n", done.stdout + done.stderr
    return open_ledger(folder / "ledger"), script


SAMPLED = {
    "sampled": {"leaks": True, "seconds": 15, "trace": "sampled"},
    "auto": {"leaks": True, "seconds": 15, "trace": "auto"},
    "native": {"leaks": True, "seconds": 15, "trace": "sampled", "leak": "leak_natively"},
    "sound": {"leaks": False, "seconds": 12, "trace": "sampled"},
}


@pytest.fixture(scope="module")
def sampled_services(tmp_path_factory):
    """Services that are sampled, run beside each other: most of the time each of them waits."""
    folders = {name: tmp_path_factory.mktemp(name) for name in SAMPLED}
    with ThreadPoolExecutor(len(SAMPLED)) as pool:
        runs = pool.map(lambda name: run_service(folders[name], **SAMPLED[name]), SAMPLED)
        return dict(zip(SAMPLED, runs, strict=True))


def test_a_leak_is_traced_in_windows_and_its_line_is_named(tmp_path):
    ledger, script = run_service(tmp_path, leaks=True, seconds=60)

    guilty = next(n for n, line in enumerate(script.read_text().splitlines(), 1) if line.endswith("# the leak"))
    kinds = ledger.events["kind"].tolist()
    assert kinds.count("window") >= 3
    assert kinds.index("growth") < kinds.index("window") < kinds.index("suspect")
    suspect = ledger.events[ledger.events["kind"] == "suspect"].iloc[0]
    assert suspect["message"].startswith(f"{script}:{guilty} in leak kept memory in each of 3 windows")
    survived = ledger.sites.groupby("seq")["size_bytes"].max()
    assert len(survived) >= 3
    assert survived.is_monotonic_increasing
    holders = ledger.events[ledger.events["kind"] == "holders"].iloc[0]
    assert holders["message"].endswith("Held by __main__.kept -> list -> __main__.Session.")
    verdict = assess(ledger).iloc[0]
    assert (verdict["responsible_file"], verdict["responsible_line"]) == (str(script), guilty), verdict["sentence"]
    assert verdict["origin"] == "python", ledger.events["data"].tolist()
    assert verdict["held_by"] == "__main__.kept -> list -> __main__.Session"


def test_growth_that_no_line_of_python_keeps_is_native(tmp_path):
    ledger, _ = run_service(tmp_path, leaks=True, leak="leak_natively", seconds=60)

    assert ledger.events["kind"].tolist().count("window") >= 3
    verdict = assess(ledger).iloc[0]
    assert verdict["is_leak"], verdict["sentence"]
    assert verdict["origin"] == "native", ledger.events["data"].tolist()
    assert report(ledger).verdicts["origin"].item() == "native"


def test_a_service_without_a_leak_is_never_traced_in_windows(tmp_path):
    ledger, _ = run_service(tmp_path, leaks=False, seconds=6)

    assert ledger.events["kind"].tolist() == ["start", "mark", "stop"]
    assert ledger.sites.empty
    assert ledger.samples["traced_bytes"].isna().all()


@needs_sampler
@pytest.mark.parametrize("trace", ["sampled", "auto"])
def test_a_leak_is_sampled_and_its_line_is_named(sampled_services, trace):
    """3,000 bytes 400 times a second for 15 s: 18 MB, where the sampler takes some 130 samples."""
    ledger, script = sampled_services[trace]

    guilty = next(n for n, line in enumerate(script.read_text().splitlines(), 1) if line.endswith("# the leak"))
    run = ledger.runs.iloc[0]
    assert (run["trace"], run["sampling_interval_bytes"]) == ("sampled", 128 * 1024)
    assert ledger.samples["traced_bytes"].isna().all()
    assert ledger.samples["sampled_bytes"].notna().all()
    assert not ledger.sites.duplicated(["seq", "site_id"]).any()
    sites = ledger.sites[(ledger.sites["file"] == str(script)) & (ledger.sites["line"] == guilty)]
    assert len(sites) >= 3
    last = sites.sort_values("timestamp").iloc[-1]
    n_kept = int(ledger.events.loc[ledger.events["kind"] == "mark", "message"].item())
    retained_bytes = 3057 * n_kept  # a bytearray of 3,000 bytes is a head of 56 and a buffer of 3,001
    assert abs(last["size_bytes"] - retained_bytes) < 4 * last["size_stderr_bytes"]
    assert 0 < last["size_stderr_bytes"] < last["size_bytes"] / 3
    verdict = assess(ledger).iloc[0]
    assert verdict["is_leak"], verdict["sentence"]
    assert (verdict["responsible_file"], verdict["responsible_line"]) == (str(script), guilty), verdict["sentence"]
    assert verdict["origin"] == "python", verdict["sentence"]


@needs_sampler
def test_growth_that_no_sampled_line_carries_is_native(sampled_services):
    ledger, _ = sampled_services["native"]

    verdict = assess(ledger).iloc[0]
    assert (verdict["is_leak"], verdict["origin"]) == (True, "native"), verdict["sentence"]


@needs_sampler
def test_a_sampled_service_without_a_leak_names_no_line(sampled_services):
    ledger, _ = sampled_services["sound"]

    assert "suspect" not in ledger.events["kind"].tolist()
    verdict = assess(ledger).iloc[0]
    assert not verdict["is_leak"], verdict["sentence"]
    assert ledger.samples["sampled_bytes"].notna().all()
