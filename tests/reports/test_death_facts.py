"""Each fact of a post-mortem, against what a real program counted itself, or a series whose truth is known."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from processes import running

from memanalysis import open_ledger
from memanalysis.capture.sampler import why_unavailable
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.reports.death_facts import GrownType, find_grown_types
from memanalysis.reports.make_report import report
from memanalysis.units import MIB, format_bytes

ROOT = Path(__file__).parents[2]
PROGRAM = """
import time
from memanalysis import watch
KEPT = []
recorder = watch("api", ledger="ledger", interval=0.05, max_overhead=0.5, release="1.4.2", seal=False)
recorder.start()
time.sleep(1.5)
time.sleep(1.5)
with open("truth.txt", "w") as truth:
    truth.write(f"{time.time()}\\n")
    for _ in range(1200):
        KEPT.append([None] * 8000)
        time.sleep(0.002)
raise RuntimeError("no queue")
"""
ROWS = 1200
BUDGET_BYTES = 100 * MIB
POLICY = {"memory_budgets": {"services": {"api": {"max_memory_mb": 100, "warning_threshold_percent": 60}}}}
MOMENT = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """The facts on a program that was flat for three seconds and then kept 1200 lists of 64 KB, and its folder."""
    if why_unavailable() is not None:
        pytest.skip("the compiled sampler is not here")
    folder = tmp_path_factory.mktemp("dead")
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(
        subprocess.Popen([sys.executable, "program.py"], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    ) as process:
        process.wait(100)
    made = report(folder / "ledger", policy=POLICY)
    return dict(made.sections[0].post_mortem.facts), folder


def read_moment(text):
    return datetime.strptime(re.search(MOMENT, text)[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


@pytest.mark.slow
def test_growth_began_when_the_program_began_to_keep_and_has_its_size(dead):
    facts, folder = dead
    samples = open_ledger(folder / "ledger").samples
    length_s = (samples["timestamp"].max() - samples["timestamp"].min()).total_seconds()
    truth = datetime.fromtimestamp(float((folder / "truth.txt").read_text()), UTC)
    rise = samples["rss_bytes"].iloc[-1] - samples["rss_bytes"].iloc[0]

    assert abs(read_moment(facts["Growth began"]) - truth) <= timedelta(seconds=1 + 0.1 * length_s)
    assert f"; +{format_bytes(rise)} from the first sample to the last, in " in facts["Growth began"]


@pytest.mark.slow
def test_the_types_are_those_of_which_the_program_kept_more(dead):
    facts, _ = dead
    text = facts["Objects that became more"]
    first, last = map(int, re.search(r"\blist ([\d,]+) to ([\d,]+)", text.replace(",", "")).groups())

    assert last - first == pytest.approx(ROWS, abs=100)
    assert text.endswith("; sizes are their own, without the objects that they refer to")


def test_a_type_of_few_own_bytes_is_listed_where_its_objects_became_many():
    """A session of 48 bytes holds a buffer of 20 KB, which is an object of another type."""
    start, end = pd.Timestamp("2026-11-30", tz="UTC"), pd.Timestamp("2026-12-01", tz="UTC")
    counts = {"bytearray": (10, 2834, 20_057), "app.Session": (0, 2824, 48), "module": (90, 95, 72)}
    objects = pd.DataFrame(
        [
            {"timestamp": moment, "type": name, "count": row[index], "size_bytes": row[index] * row[2]}
            for index, moment in enumerate((start, end))
            for name, row in counts.items()
        ]
    )

    assert find_grown_types(objects) == [
        GrownType(name="bytearray", first=10, last=2834, own_growth_bytes=2824 * 20_057),
        GrownType(name="app.Session", first=0, last=2824, own_growth_bytes=2824 * 48),
    ]


@pytest.mark.slow
def test_the_parts_of_its_memory_are_those_of_the_last_samples(dead):
    facts, folder = dead
    samples = open_ledger(folder / "ledger").samples
    uss, sampled = (samples[name].dropna().iloc[-1] for name in ("uss_bytes", "sampled_bytes"))

    assert f"{format_bytes(uss)} of this process alone" in facts["Memory, as last read"]
    assert f"{format_bytes(sampled)} allocated by Python since the start" in facts["Memory, as last read"]
    assert sampled == pytest.approx(ROWS * 64_000, rel=0.2)
    assert uss > sampled


@pytest.mark.slow
def test_a_breach_began_with_the_first_sample_above_the_warning_level(dead):
    facts, folder = dead
    samples = open_ledger(folder / "ledger").samples
    over = samples[samples["rss_bytes"] >= 0.6 * BUDGET_BYTES]
    worst = format_bytes(samples["rss_bytes"].max())

    assert facts["Budget"].startswith(
        f"at its warning level or above since {over['timestamp'].iloc[0]:%Y-%m-%d %H:%M:%S} UTC"
    )
    assert facts["Budget"].endswith(f" with {worst} of 100 MiB")
    last = samples["rss_bytes"].iloc[-1]
    assert facts["Last sample"].startswith(f"{format_bytes(last)}, {last / BUDGET_BYTES:.0%} of its budget of 100 MiB")


START = 1_750_000_000.0
"""2025-06-15 15:06:40 UTC."""


def write_death(folder, rss_bytes, *, events=(), limit_bytes=None, n=120, **run):
    """Write a run of a sample a second that was killed, and return the facts on it with a policy or without."""
    about = {"run_id": "r", "service": "api", "host": "h1", "pid": 7, "started": START, "trace": "off", **run}
    writer = LedgerWriter(folder, run=about, flush="manual")
    rows = [
        {"seq": at, "timestamp": START + at, "elapsed_s": float(at), "rss_bytes": round(rss_bytes(at)),
         "limit_bytes": limit_bytes}
        for at in range(n)
    ]  # fmt: skip
    writer.append("samples", rows)
    writer.append("events", [{"timestamp": START + at, **event} for at, event in events])
    writer.close(ended=START + n, ending={"how": "gone", "seen_by": "parent", "exit_status": -9}, seal=False)


def read_facts(folder, **arguments):
    return dict(report(folder, **arguments).sections[0].post_mortem.facts)


def ramp(at):
    """Half a MiB a second from 40 MiB on: 99.5 MiB at second 119."""
    return (40 + 0.5 * at) * MIB + 1000 * (at % 3)


@pytest.mark.parametrize("kind", ["limit", "budget"])
def test_the_forecast_is_the_moment_at_which_the_line_meets_what_is_allowed(tmp_path, kind):
    """200 MiB are 100.5 MiB above the last sample, which takes 201 s: second 320 is 15:12:00."""
    write_death(tmp_path, ramp, limit_bytes=200 * MIB if kind == "limit" else None)
    policy = {"memory_budgets": {"services": {"api": "200MB"}}}
    facts = read_facts(tmp_path, **({} if kind == "limit" else {"policy": policy}))
    forecast = facts["Forecast at its last sample"]

    assert forecast.startswith(f"its {kind} of 200 MiB at ")
    assert abs(read_moment(forecast) - datetime(2025, 6, 15, 15, 12, tzinfo=UTC)) <= timedelta(seconds=3)


def test_a_forecast_for_what_was_over_its_limit_states_that(tmp_path):
    write_death(tmp_path, ramp, limit_bytes=90 * MIB)

    assert read_facts(tmp_path)["Forecast at its last sample"] == "its limit of 90.0 MiB was reached"


def test_memory_that_is_flat_has_neither_a_forecast_nor_a_beginning_of_growth(tmp_path):
    write_death(tmp_path, lambda at: 40 * MIB + 1000 * (at % 3), limit_bytes=200 * MIB)

    assert not {"Forecast at its last sample", "Growth began"} & set(read_facts(tmp_path))


@pytest.mark.parametrize(("host", "process"), [("h1", "pid 7 on h1, Python"), (None, "pid 7, Python")])
def test_the_process_is_named_as_far_as_it_is_known(tmp_path, host, process):
    write_death(tmp_path, ramp, host=host)

    assert read_facts(tmp_path)["Process"] == process


def test_growth_from_the_start_on_began_with_the_release(tmp_path):
    write_death(tmp_path, ramp, release="1.4.2")

    assert read_facts(tmp_path)["Growth began"].startswith("from its start on, with release 1.4.2; +59.5 MiB from the ")


CAUSES = {
    "In[5]": {"kind": "cell_start", "data": {"cell": "In[5]"}},
    "deploy 1.4": {"kind": "mark", "message": "deploy 1.4"},
}


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("at_s", [57, 61], ids=["before", "within the step of the bends that are tried"])
def test_growth_began_after_the_nearest_mark_or_cell_and_not_after_one_long_before(tmp_path, name, at_s):
    """Second 60 of 119; the bends that are tried lie 3 s apart."""
    events = [(2, {"kind": "mark", "message": "load"}), (at_s, CAUSES[name]), (70, {"kind": "mark", "message": "late"})]
    write_death(tmp_path, lambda at: (40 + max(0, at - 60)) * MIB + 1000 * (at % 3), events=events)
    began = read_facts(tmp_path)["Growth began"]

    assert abs(read_moment(began) - datetime.fromtimestamp(START + 60, UTC)) <= timedelta(seconds=3)
    assert f" after {name}; " in began


def test_breaches_that_were_over_before_the_end_are_not_called_present(tmp_path):
    """It was above its warning level of 80 MiB at seconds 20 to 39 and 60 to 69, and died below it."""
    swings = {**dict.fromkeys(range(20, 40), 95), **dict.fromkeys(range(60, 70), 85)}
    write_death(tmp_path, lambda at: swings.get(at, 40) * MIB)
    policy = {
        "memory_budgets": {
            "services": {
                "api": {"max_memory_mb": 100, "warning_threshold_percent": 80, "critical_threshold_percent": 90}
            }
        }
    }
    first, last = (pd.Timestamp(START + at, unit="s", tz="UTC") for at in (60, 69))

    assert read_facts(tmp_path, policy=policy)["Budget"] == (
        f"at its warning level or above from {first:%Y-%m-%d %H:%M:%S} UTC to {last:%Y-%m-%d %H:%M:%S} UTC, "
        "at worst warning with 85.0 MiB of 100 MiB; 1 time before"
    )


@pytest.mark.parametrize(("limit_bytes", "is_probable"), [(100 * MIB, True), (None, False)])
def test_a_budget_kills_nothing_and_a_limit_does(tmp_path, limit_bytes, is_probable):
    """It died at 99.5 MiB, of 100 MiB that its container or that a policy allows; its exit status is not known."""
    write_death(tmp_path, ramp, limit_bytes=limit_bytes)
    run = LedgerWriter(
        tmp_path, run={"run_id": "s", "service": "api", "pid": 8, "started": START + 200}, flush="manual"
    )
    rows = [
        {"seq": at, "timestamp": START + 200 + at, "rss_bytes": round(ramp(at)), "limit_bytes": limit_bytes}
        for at in range(120)
    ]
    run.append("samples", rows)
    run.close(ended=START + 320, ending={"how": "gone", "seen_by": "outside"}, seal=False)
    made = report(tmp_path, policy={"memory_budgets": {"services": {"api": "100MB"}}}, run_id="s")

    assert ("probably for lack of memory" in made.headline) == is_probable
    assert (", at 99.5 MiB (budget 100 MiB)" in made.headline) == (not is_probable)
