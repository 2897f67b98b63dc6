"""The bend of a line that was flat is found; a line, a swing and a rise that slows have none."""

import numpy as np
import pytest

from memanalysis.analysis.trend.onset import find_onsets

T = np.arange(64.0)


def onset_of(levels):
    return float(find_onsets(T[None], np.asarray(levels, dtype=float)[None])[0])


@pytest.mark.slow
@pytest.mark.parametrize("onset", [12, 32, 50])
def test_the_second_of_the_bend_is_found(onset):
    levels = 100 + 3 * np.maximum(0, T - onset) + np.random.default_rng(1).normal(size=64)
    assert onset_of(levels) == pytest.approx(onset, abs=3)


@pytest.mark.parametrize(
    "levels",
    [
        100 + T,
        100 + 0 * T,
        100 - np.maximum(0, T - 32),
        100 + 20 * np.sin(2 * np.pi * T / 64 * 1.3),
        100 + 50 * (1 - np.exp(-T / 20)),
        100 + T + np.maximum(0, T - 32),
    ],
    ids=["line", "flat", "fall", "swing", "slowing rise", "rise that grew before"],
)
def test_what_has_no_bend_after_a_flat_stretch_has_no_onset(levels):
    assert np.isnan(onset_of(levels))
