"""When is a family of processes over? With its master, or with the last of its members where that was not recorded."""

import json
from pathlib import Path

import pandas as pd
import pytest

from memanalysis import assess, trend
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

START = 1_750_000_000.0


def write_member(path: Path, pid: int, *, has_ended: bool, parent_pid: int = 10) -> None:
    """Write a process of a minute that leaks half a MiB a second, with its end or without."""
    run = {"run_id": f"r{pid}", "service": "api", "host": "h1", "pid": pid, "parent_pid": parent_pid, "started": START}
    writer = LedgerWriter(path, run=run, flush="manual")
    for at in range(60):
        size = round((20 + 0.5 * at) * MIB) + 20_000 * (at % 3)
        sizes = dict.fromkeys(("rss_bytes", "pss_bytes", "uss_bytes"), size)
        writer.append("samples", [{"seq": at, "timestamp": START + at, "elapsed_s": float(at), **sizes}])
    writer.flush()
    if has_ended:
        writer.close(ended=START + 59)


@pytest.mark.parametrize(
    ("first", "second", "is_over"), [(True, True, True), (True, False, False), (False, False, False)]
)
def test_workers_of_a_master_that_was_not_recorded_end_with_the_last(tmp_path, first, second, is_over):
    write_member(tmp_path, 11, has_ended=first)
    write_member(tmp_path, 12, has_ended=second)
    verdicts = assess(tmp_path).set_index("role")

    assert verdicts.loc["family", "has_ended"] == is_over
    assert verdicts.loc["worker", "has_ended"].tolist() == [first, second]


@pytest.mark.parametrize(("master", "worker"), [(True, False), (False, True)])
def test_a_family_ends_with_its_master_where_that_was_recorded(tmp_path, master, worker):
    write_member(tmp_path, 10, has_ended=master, parent_pid=1)
    write_member(tmp_path, 11, has_ended=worker)
    verdicts = assess(tmp_path).set_index("role")

    assert verdicts["has_ended"].to_dict() == {"master": master, "worker": worker, "family": master}


def test_the_sentence_on_a_family_that_has_ended_forecasts_nothing(tmp_path):
    for pid in (11, 12):
        write_member(tmp_path, pid, has_ended=True)
    policy = {"memory_budgets": {"services": {"api": "120MB"}}}
    family = assess(tmp_path, policy=policy).set_index("role").loc["family"]

    assert family["is_leak"]
    assert "When it ended it was about " in family["sentence"]


def forecast(path):
    """Return what `trend` forecasts under a budget of 1,000 MiB."""
    policy = {"memory_budgets": {"services": {"api": "1000MiB"}}}
    return json.loads(trend(path, policy=policy).to_json())["forecasts"]


def test_the_trend_forecasts_a_family_without_a_master_while_a_member_goes_on(tmp_path):
    """Two workers of 49.5 MiB each leak 1 MiB a second together: 901 s are left, and one alone has 1,901 s."""
    for pid in (11, 12):
        write_member(tmp_path, pid, has_ended=pid == 11)
    (row,) = forecast(tmp_path)
    left_s = (pd.Timestamp(row["next"]) - pd.Timestamp(START + 59, unit="s", tz="UTC")).total_seconds()

    assert row["method"] == "growth"
    assert 0.9 * 901 < left_s < 1.1 * 901


def test_the_trend_forecasts_no_family_that_is_over(tmp_path):
    for pid in (11, 12):
        write_member(tmp_path, pid, has_ended=True)

    assert forecast(tmp_path) == []
