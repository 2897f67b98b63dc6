"""A series that is read otherwise is one from a restart or an onset only where that is given, and never changes."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from memanalysis.analysis.trend.altered_series import AlteredSeries

T = np.arange(4.0)


def test_neither_an_onset_nor_a_restart_is_taken_for_granted() -> None:
    series = AlteredSeries(place=2, elapsed_s=T, values=2 * T, range_bytes=6.0)

    assert np.isnan(series.onset_s)
    assert series.restarted is False


def test_what_was_read_stays() -> None:
    series = AlteredSeries(place=2, elapsed_s=T, values=2 * T, range_bytes=6.0)

    with pytest.raises(FrozenInstanceError):
        series.range_bytes = 0.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        AlteredSeries(2, T, 2 * T, 6.0)  # type: ignore[misc]
