"""Every number of a verdict is on one page, explained there, used by the code, shown in the documentation."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest
from factories import ramp

import memanalysis
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.threshold_fields import CONVENTION, make_number
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


def test_a_threshold_is_a_default_with_what_the_table_shows_of_it():
    @dataclasses.dataclass(frozen=True)
    class One:
        share: float = make_number(0.5, "share", CONVENTION, "half of it")

    (number,) = dataclasses.fields(One)
    assert (One().share, One(share=1.0).share) == (0.5, 1.0)
    assert number.metadata == {"unit": "share", "source": "convention", "meaning": "half of it"}


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


NO_THRESHOLDS = {
    "FOLD_SIZE": "is a number of the page, in a file that loads nothing",
    "MAX_POINTS_KEPT": "the same",
    "PAIRS_AT_ONCE": "how much is reckoned at once, for speed",
    "ROWS_AT_ONCE": "the same",
    "SERIES_IN_ONE_THREAD": "the same",
    "SLOPES_AT_ONCE": "the same",
    "SAME_SHARE": "numeric noise",
    "NUMERIC_NOISE": "the same",
    "GRID": "how finely a distribution is tabulated",
    "LONGEST_LOG": "the range of floats",
    "MIN_FREEDOM_OF_THE_EXPANSION": "where a series converges",
    "TERMS": "the same",
    "PRECISION": "the same",
    "_TINY": "the same",
    "MANY": "degrees of freedom from which Student's t is normal",
    "MAD_TO_SIGMA": "a ratio of the normal distribution",
    "PARABOLA": "the number of its coefficients",
    "SECONDS_A_DAY": "a unit",
    "FINGERPRINT_DIGITS": "how long a name is",
    "KEPT_FOLDERS": "the same",
    "MAX_NAMED": "how many lines are listed",
}
"""Numbers of the modules that no verdict hangs on, each with what it is."""


def find_numbers(source: str) -> set[str]:
    """Names at the top level of a file that a number, or a tuple of numbers, is given to."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            is_number = all(
                isinstance(
                    part, ast.Constant | ast.UnaryOp | ast.BinOp | ast.Tuple | ast.operator | ast.unaryop | ast.Load
                )
                and not isinstance(getattr(part, "value", 0), str | bool | None)
                for part in ast.walk(node.value)
            )
            found |= {ast.unparse(target) for target in targets if is_number}
    return found


def test_no_module_of_a_verdict_hides_a_number_of_its_own():
    """Numbers that a verdict hangs on belong on the page; what else is a number is listed, with what it is."""
    found = {name for path in ANALYSIS.rglob("*.py") for name in find_numbers(path.read_text(encoding="utf-8"))}

    assert find_numbers("A = 3\nB: float = -0.5\n_C = (0.1, 2 * 4)\nD = 'x'\nE = ('x', 1)\nF = True\nG = f(1)") == {
        "A", "B", "_C"
    }  # fmt: skip
    assert found == set(NO_THRESHOLDS)


def test_no_quantile_is_asked_for_by_a_number_in_the_code():
    """``np.quantile(values, 0.9)`` hides a threshold as well as a constant does; the middle is none."""
    asked = {
        (path.name, ast.unparse(node.args[1]))
        for path in ANALYSIS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and re.search(r"quantile|percentile", ast.unparse(node.func))
        and len(node.args) > 1
        if any(
            isinstance(part, ast.Constant) and isinstance(part.value, float) and part.value % 1 not in (0, 0.5)
            for part in ast.walk(node.args[1])
        )
    }
    assert asked == set()


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
