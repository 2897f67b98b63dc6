"""Every number of a verdict is on one page, explained there, used by the code, shown in the documentation."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest
from factories import ramp

import memanalysis
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.threshold_table import render_thresholds_table
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeriesThresholds, ShapeThresholds, Thresholds
from memanalysis.units import MIB

ANALYSIS = Path(memanalysis.__file__).parent / "analysis"
DOCS = Path(memanalysis.__file__).parents[1] / "docs" / "verdict.md"
MARKERS = re.compile(r"<!-- thresholds -->\n(.*?)\n<!-- /thresholds -->", re.DOTALL)

NUMBERS = [
    (group.name, number)
    for group in dataclasses.fields(Thresholds)
    for number in dataclasses.fields(getattr(DEFAULT_THRESHOLDS, group.name))
]


@pytest.mark.parametrize(("group", "number"), NUMBERS, ids=lambda part: getattr(part, "name", part))
def test_each_number_has_a_unit_a_meaning_and_a_source(group, number):
    assert number.metadata["unit"]
    assert len(number.metadata["meaning"]) > 15
    assert re.match(r"(paper: \w+ .*\d{4}|theory: |measured: |convention)", number.metadata["source"])


def test_each_number_is_used():
    used = {
        node.attr
        for path in ANALYSIS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert {number.name for _, number in NUMBERS} <= used


def test_the_documentation_shows_the_table_that_is_generated():
    """After a change: print what ``render_thresholds_table()`` returns, and put it between the markers."""
    (shown,) = MARKERS.findall(DOCS.read_text(encoding="utf-8"))
    assert shown == render_thresholds_table()


def test_the_table_shows_the_values_of_the_thresholds_that_are_given():
    other = dataclasses.replace(DEFAULT_THRESHOLDS, shape=ShapeThresholds(min_growth_bytes=1 * MIB))
    assert "| `shape.min_growth_bytes` | 1,048,576 | bytes |" in render_thresholds_table(other)
    assert "| `severity.excess_steps` | 1, 2, 5 | multiples" in render_thresholds_table()


def test_thresholds_that_are_handed_in_decide():
    """The ramp grows by 0.75 MiB over the judged 75 s."""
    series = ramp(n=101, slope=0.01 * MIB)
    demanding = dataclasses.replace(DEFAULT_THRESHOLDS, shape=ShapeThresholds(min_growth_bytes=1 * MIB))
    patient = dataclasses.replace(DEFAULT_THRESHOLDS, series=SeriesThresholds(min_samples=102))

    assert assess_series(series.elapsed_s, series.values).shape == "growing"
    assert assess_series(series.elapsed_s, series.values, thresholds=demanding).shape == "stable"
    verdict = assess_series(series.elapsed_s, series.values, thresholds=patient)
    assert verdict.evidence.missing == "1 more sample: 101 of at least 102 are there"


def test_no_module_of_a_verdict_hides_a_threshold_of_its_own():
    """Constants named as limits belong on the page; what changes no verdict is named otherwise, or listed here."""
    beside = {"MIN_FREEDOM_OF_THE_EXPANSION", "MAX_NAMED", "MAX_POINTS_KEPT"}  # the last is a number of the page
    hidden = {
        (path.name, target.id)
        for path in ANALYSIS.rglob("*.py")
        if path.name != "sequential.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and re.search(r"MIN_|MAX_|LEAST|MOST|SHARE|CONFIDENCE|SIGMAS", target.id)
        and target.id not in beside
    }
    # Numeric noise of sums and times, which no verdict hangs on.
    assert hidden == {("slowing.py", "SAME_SHARE")}


@pytest.mark.parametrize(
    ("group", "number", "value", "changed"),
    [
        ("growth", "confidence", 0.5, "high_bytes_per_s"),
        ("growth", "outlier_sigmas", 0.5, "low_bytes_per_s"),
        ("series", "warm_up_share", 0.5, "growth_bytes"),
        ("series", "max_points", 32, "slope_bytes_per_s"),
        ("baseline", "max_windows", 5, "evidence"),
        ("baseline", "quantile", 0.5, "evidence"),
        ("shape", "min_weakest_share", 2.0, "shape"),
        ("shape", "min_growth_noise", 1e6, "shape"),
        ("severity", "excess_steps", (10.0, 20.0, 50.0), "severity"),
        ("severity", "medium_sensitivity", 100.0, "severity"),
        ("forecast", "lead_sigmas", 9.0, "time_to_exhaustion_low_s"),
        ("forecast", "confidence", 0.5, "time_to_exhaustion_high_s"),
    ],
)
def test_a_number_of_each_group_reaches_the_verdict(group, number, value, changed):
    """A noisy leak at three times the policy's threshold, with another number, is another verdict in this field."""
    series = ramp(n=200, slope=0.2 * MIB, sigma=0.5 * MIB, start=200 * MIB)
    other = dataclasses.replace(
        DEFAULT_THRESHOLDS, **{group: dataclasses.replace(getattr(DEFAULT_THRESHOLDS, group), **{number: value})}
    )
    usual, judged = (
        assess_series(series.elapsed_s, series.values, limit_bytes=2**36, thresholds=thresholds)
        for thresholds in (DEFAULT_THRESHOLDS, other)
    )

    assert usual.is_leak
    assert getattr(judged, changed) != getattr(usual, changed)
