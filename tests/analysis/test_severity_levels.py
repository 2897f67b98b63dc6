"""How bad a leak is, by the table of the documentation."""

import numpy as np
import pytest

from memanalysis.analysis.severity_levels import classify_severities
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import SeverityThresholds
from memanalysis.analysis.verdict import SEVERITIES

HOUR, DAY = 3600.0, 86400.0


def severity(growth=1.0, percent=1.0, left_s=np.nan, *, is_leak=True, sensitivity="medium", thresholds=None) -> str:
    codes = classify_severities(
        is_leak=np.array([is_leak]),
        growth_bytes=np.array([growth]),
        growth_percent=np.array([percent]),
        time_left_s=np.array([left_s]),
        rules=SeverityRules(growth_bytes=100.0, growth_percent=20.0, sensitivity=sensitivity),
        thresholds=thresholds or SeverityThresholds(),
    )
    return SEVERITIES[codes[0]]


@pytest.mark.parametrize(
    ("growth", "percent", "expected"),
    [
        (99, 1, "low"),
        (100, 1, "medium"),
        (199, 1, "medium"),
        (200, 1, "high"),
        (500, 1, "critical"),
        (1, 40, "high"),
        (1, np.inf, "critical"),
        (200, np.nan, "high"),
    ],
)
def test_growth_counts_in_multiples_of_the_policys_threshold(growth, percent, expected):
    assert severity(growth, percent) == expected


@pytest.mark.parametrize(
    ("left_s", "expected"),
    [(8 * DAY, "low"), (7 * DAY, "medium"), (DAY, "high"), (HOUR, "critical"), (0, "critical"), (np.inf, "low")],
)
def test_the_time_that_is_left_makes_it_urgent(left_s, expected):
    assert severity(left_s=left_s) == expected


def test_the_worse_of_both_counts_and_no_leak_has_none():
    assert severity(200, left_s=7 * DAY) == "high"
    assert severity(100, left_s=HOUR) == "critical"
    assert severity(500, left_s=0, is_leak=False) == "none"


def test_sensitivity_and_thresholds_shift_the_steps():
    assert severity(100, sensitivity="high") == "high"
    assert severity(199, sensitivity="low") == "low"
    assert severity(100, thresholds=SeverityThresholds(excess_steps=(0.1, 0.5, 1.0))) == "critical"
