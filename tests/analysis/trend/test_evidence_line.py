"""The line that a verdict rests on lies on the series that it is drawn over."""

import numpy as np
import pytest
from factories import ramp, sawtooth

from memanalysis.analysis.trend.evidence_line import find_evidence_line
from memanalysis.units import MIB


@pytest.mark.slow
@pytest.mark.parametrize("slope", [1.0 * MIB, -1.0 * MIB], ids=["growing", "shrinking"])
def test_growth_is_the_fitted_line_over_the_judged_stretch(slope):
    """Of 100 seconds the first quarter is warm-up, and the line of a straight series is the series."""
    series = ramp(n=100, start=200 * MIB, slope=slope)
    line = find_evidence_line(series.elapsed_s, series.values)

    assert line is not None
    assert line.kind == "growth"
    assert line.elapsed_s == pytest.approx([25.5, 98.5], abs=1)
    assert line.values == pytest.approx(200 * MIB + slope * line.elapsed_s)


def test_what_does_not_grow_is_shown_by_its_baselines():
    series = sawtooth()
    line = find_evidence_line(series.elapsed_s, series.values)

    assert line is not None
    assert line.kind == "baselines"
    assert 2 <= line.values.size <= 8
    assert np.all(line.values < np.median(series.values))


def test_too_few_samples_have_no_line():
    assert find_evidence_line(np.arange(4.0), np.arange(4.0)) is None
