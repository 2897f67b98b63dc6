"""Levels and growth week by week, of samples whose numbers are known."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.weekly_levels import measure_curves, measure_levels, measure_slopes, number_weeks
from memanalysis.errors import MissingColumnError
from memanalysis.units import MIB

BEGIN = pd.Timestamp("2025-06-02", tz="UTC")
HOURS = np.arange(14 * 24.0)


def make_samples(**columns: object) -> pd.DataFrame:
    """Two weeks of a sample an hour that grow by 1 MiB an hour."""
    frame = {
        "service": "api",
        "run_id": "run",
        "timestamp": BEGIN + pd.to_timedelta(HOURS, unit="h"),
        "elapsed_s": 3600 * HOURS,
        "rss_bytes": (100 + HOURS) * MIB,
    }
    return pd.DataFrame(frame | columns)


@pytest.mark.slow
def test_the_last_week_ends_with_the_last_sample_and_what_is_older_has_none() -> None:
    moments = pd.Series(
        pd.to_datetime(["2025-06-01 00:00", "2025-06-08 00:00", "2025-06-08 01:00", "2025-06-15 00:00"], utc=True)
    )
    numbers = number_weeks(moments, until=moments.iloc[-1], weeks=1)

    assert numbers.isna().tolist() == [True, True, False, False]
    assert number_weeks(moments, until=moments.iloc[-1], weeks=3).tolist() == [0.0, 1.0, 2.0, 2.0]


def test_levels_are_medians_and_slopes_those_of_the_series() -> None:
    samples = make_samples()
    weeks = number_weeks(samples["timestamp"], until=samples["timestamp"].max(), weeks=2)
    levels = measure_levels(samples, weeks)

    assert levels["level_bytes"].tolist() == [(100 + 83.5) * MIB, (268 + 83.5) * MIB]
    assert levels["peak_bytes"].tolist() == [267 * MIB, 435 * MIB]
    slopes = measure_slopes(samples, weeks)
    assert slopes["slope_bytes_per_s"].tolist() == pytest.approx([MIB / 3600] * 2)
    assert (slopes["low_bytes_per_s"] <= slopes["slope_bytes_per_s"]).all()


def test_unknown_sizes_are_not_zero_and_another_metric_stands_in() -> None:
    unknown = make_samples(rss_bytes=np.nan)
    weeks = number_weeks(unknown["timestamp"], until=unknown["timestamp"].max(), weeks=2)

    assert measure_levels(unknown, weeks)["level_bytes"].isna().all()
    assert measure_slopes(unknown, weeks).empty
    traced = make_samples(rss_bytes=np.nan, traced_bytes=7.0 * MIB)
    assert measure_levels(traced, weeks)["level_bytes"].tolist() == [7 * MIB, 7 * MIB]


def test_a_curve_has_the_least_and_the_most_of_each_stretch_and_leaves_gaps_out() -> None:
    samples = make_samples()
    samples = samples[(HOURS < 100) | (HOURS >= 240)]
    curve = measure_curves(samples, since=BEGIN, until=samples["timestamp"].max(), stretches=14)

    assert len(curve) < 14
    assert curve["low_bytes"].min() == 100 * MIB
    assert curve["high_bytes"].max() == 435 * MIB
    assert (curve["low_bytes"] <= curve["middle_bytes"]).all()


def test_one_moment_is_one_stretch() -> None:
    samples = make_samples().head(1)
    curve = measure_curves(samples, since=BEGIN, until=BEGIN, stretches=14)

    assert curve["middle_bytes"].tolist() == [100 * MIB]


def test_a_frame_without_times_is_refused() -> None:
    with pytest.raises(MissingColumnError, match="timestamp"):
        measure_levels(make_samples().drop(columns="timestamp"), pd.Series(0.0, index=range(len(HOURS))))
