"""What a report shows of the evidence and of the next breach."""

import json
import re

import pytest

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.reports.facts import describe_evidence
from memanalysis.reports.make_report import Report, report
from memanalysis.reports.text_report import render_text
from memanalysis.units import MIB

POLICY = {"memory_budgets": {"global": {"max_memory_mb": 100}}}


def rise_every_50_s(at: float) -> float:
    return (90 if at % 50 >= 25 and at % 50 < 35 else 40) * MIB + (at % 3) * 1000


def shown(made: Report) -> list[str]:
    return [" ".join(text.replace("\\", "").split()) for text in (made.to_markdown(), made.to_html())]


@pytest.mark.slow
def test_a_leak_is_reported_with_the_level_that_it_reaches_next(maker):
    """40 MiB + 0.5 MiB/s are 80 MiB after 80 s, so at 15:08:00: the first sample is of 15:06:40."""
    maker.add("leak", lambda at: (40 + 0.5 * at) * MIB, has_ended=False)

    for text in shown(report(maker.path, policy=POLICY)):
        assert "At this pace it reaches its warning level of 80.0 MiB about 2025-06-15 15:08:00 UTC" in text


def test_what_comes_back_is_reported_with_how_often_it_did(maker):
    """Every 50 s for 10 s at 90 MiB; the last of six begins at 275 s, so the next at 325 s, which is at 15:12:05."""
    maker.add("batch", rise_every_50_s, n=300, has_ended=False)

    for text in shown(report(maker.path, policy=POLICY)):
        assert "It rose to its warning level 6 times. If that goes on, it next reaches its warning level of 80" in text
        assert re.search(r"of 80.0 MiB about 2025-06-15 15:12:05 UTC \(90 % interval 2025-06-15 15:1\d:\d\d to ", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["leak", "batch"])
def test_what_has_ended_has_no_forecast_in_any_format(maker, name):
    maker.add(name, {"leak": lambda at: (40 + 0.5 * at) * MIB, "batch": rise_every_50_s}[name], n=300)
    policy = {"memory_budgets": {"global": {"max_memory_mb": 300 if name == "leak" else 100}}}
    made = report(maker.path, policy=policy)

    assert made.sections[0].forecast.empty
    assert json.loads(made.to_json())["services"][0]["forecast"] == []
    for text in [*shown(made), render_text(made)]:
        assert "reaches its" not in text


@pytest.mark.parametrize("policy", [POLICY, None])
def test_where_nothing_is_known_nothing_is_said(maker, policy):
    maker.add("still", lambda at: 40 * MIB + (at % 3) * 1000, has_ended=False)
    made = report(maker.path, policy=policy)

    assert made.sections[0].forecast.empty == (policy is None)
    for text in shown(made):
        assert "reaches its" not in text


def facts_of(**changed):
    verdict = assess_series(range(60), [(100 + at) * MIB for at in range(60)])
    row = dict.fromkeys(VERDICT_COLUMNS) | {name: getattr(verdict, name, None) for name in VERDICT_COLUMNS}
    of_evidence = {name: getattr(verdict.evidence, name) for name in ("n_samples", "duration_s", "windows")}
    weakest = verdict.evidence.weakest_window_bytes_per_s
    return dict(
        describe_evidence(row | of_evidence | {"metric": "rss_bytes", "weakest_window_bytes_per_s": weakest} | changed)
    )


def test_the_users_line_the_librarys_and_the_holder_are_among_the_evidence():
    facts = facts_of(
        responsible_file="/srv/app/views.py", responsible_line=12, responsible_function="load",
        allocated_file="/usr/lib/python3.12/json/decoder.py", allocated_line=353, held_by="app.cache -> dict",
    )  # fmt: skip

    assert facts["Line"] == "/srv/app/views.py:12 in load"
    assert facts["Allocated in"] == "/usr/lib/python3.12/json/decoder.py:353"
    assert facts["Held by"] == "app.cache -> dict"


def test_copying_on_write_is_explained_though_it_is_no_leak():
    assert facts_of(is_leak=False, origin="copy-on-write")["Origin"].endswith("as it wrote: no leak")
    assert "Origin" not in facts_of(is_leak=False)
    assert not {"Line", "Allocated in", "Held by"} & facts_of().keys()


def test_the_fitted_growth_names_the_part_of_the_run_that_it_is_of():
    """44 MiB at 1 MiB/s took 44 s: the first quarter of 59 s was warm-up."""
    assert facts_of(judged_s=44.0)["Growth"] == "+44.0 MiB (+38.3 %), fitted over the last 44.0 s of 59.0 s"
    assert facts_of(judged_s=59.0)["Growth"].endswith(", fitted over all 59.0 s")
    assert facts_of(judged_s=None)["Growth"].count(",") == 0
