"""The first step: verdicts of a batch as columns, the metric that speaks, and the reasons."""

from dataclasses import replace

import numpy as np
import pytest
from factories import plateau, ramp, sawtooth, steps

from memanalysis.analysis.batch_verdict import choose_metrics, judge_batch, judge_series
from memanalysis.analysis.series.prepare import SeriesBatch, prepare_batch
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
from memanalysis.units import MIB


def batch_of(*series) -> SeriesBatch:
    return prepare_batch(
        np.repeat(np.arange(len(series)), [one.values.size for one in series]),
        np.concatenate([one.elapsed_s for one in series]),
        np.concatenate([one.values for one in series]),
        n_series=len(series),
    )


@pytest.mark.slow
def test_the_columns_of_a_ramp_are_those_of_its_line():
    """50 MiB and 1 MiB a second for 99 s; after 25 s of warm-up there are 74 or 75 MiB of growth."""
    columns = judge_batch(batch_of(ramp(slope=MIB, n=100)), np.array([256.0 * MIB]), SeverityRules())

    assert columns["shape"].tolist() == ["growing"]
    assert columns["slope_bytes_per_s"] == pytest.approx([MIB])
    assert columns["latest_bytes"] == pytest.approx([149 * MIB])
    assert columns["growth_bytes"] == pytest.approx(MIB * columns["judged_s"])
    assert columns["growth_percent"] == pytest.approx(100 * columns["judged_s"] / (149 - columns["judged_s"]))
    assert columns["time_to_exhaustion_s"] == pytest.approx([107])
    assert columns["reasons"].tolist() == [(Reason.RISES_IN_EACH_WINDOW, Reason.REACHES_LIMIT)]


def test_each_shape_has_its_reason():
    rng = np.random.default_rng(1)
    noise = replace(ramp(n=100), values=200 * MIB + rng.normal(size=100) * MIB)
    tiny = ramp(n=100, slope=10.0)
    series = [plateau(), steps(), sawtooth(), noise, tiny, ramp(n=4), ramp(n=100, start=300 * MIB, slope=-MIB)]
    columns = judge_batch(batch_of(*series), np.full(len(series), np.nan), SeverityRules())

    assert list(zip(columns["shape"].tolist(), [reasons[0] for reasons in columns["reasons"]], strict=True)) == [
        ("plateauing", Reason.LEVELS_OFF),
        ("stepped", Reason.STEPS),
        ("sawtooth", Reason.SWINGS),
        ("stable", Reason.WITHIN_NOISE),
        ("stable", Reason.TOO_SMALL),
        ("inconclusive", Reason.TOO_FEW_SAMPLES),
        ("shrinking", Reason.SHRINKS),
    ]
    assert not columns["is_leak"].any()
    assert np.isnan(columns["time_to_exhaustion_s"]).all()


@pytest.mark.parametrize(
    ("limit_bytes", "reason"),
    [
        (100.0 * MIB, Reason.OVER_LIMIT),
        (198.75 * MIB, Reason.OVER_LIMIT),  # beyond by 1.3 thousandths
        (199.0 * MIB, Reason.AT_LIMIT),
        (198.95 * MIB, Reason.AT_LIMIT),  # beyond by a quarter of a thousandth
        (300.0 * MIB, Reason.REACHES_LIMIT),
    ],
)
def test_a_leak_says_where_it_stands_beside_its_limit(limit_bytes: float, reason: Reason):
    """The ramp ends at 199 MiB."""
    series = ramp(slope=MIB, n=100, start=100 * MIB)
    columns = judge_batch(batch_of(series), np.array([limit_bytes]), SeverityRules())

    assert series.values[-1] == 199 * MIB
    assert columns["reasons"][0][1:] == (reason,)


@pytest.mark.parametrize(
    ("n_samples", "is_leak", "chosen"),
    [
        (([9], [9]), ([False], [False]), 0),
        (([0], [9]), ([False], [False]), 1),  # only the second is known
        (([9], [9]), ([False], [True]), 1),  # only the second shows a leak
        (([9], [9]), ([True], [True]), 0),
        (([0], [0]), ([False], [False]), 0),
    ],
)
def test_the_first_metric_that_is_known_or_leaks_speaks(n_samples, is_leak, chosen):
    judged = [{"n_samples": n, "is_leak": leak} for n, leak in zip(n_samples, is_leak, strict=True)]
    assert choose_metrics(judged).tolist() == [chosen]


def test_judging_adds_columns_and_leaves_its_frame_alone():
    still, leaking = steps(n=100), ramp(n=100, slope=MIB)
    batches = {"rss_bytes": batch_of(still, leaking), "traced_bytes": batch_of(leaking, still)}
    frame = {"service": np.array(["a", "b"], dtype=object)}
    judged = judge_series(frame, DEFAULT_THRESHOLDS, batches=batches, limits=np.full(2, np.nan), rules=SeverityRules())

    assert frame.keys() == {"service"}
    assert judged["service"].tolist() == ["a", "b"]
    assert judged["metric"].tolist() == ["traced_bytes", "rss_bytes"]
    assert judged["is_leak"].tolist() == [True, True]
    assert judged["rss_bytes:is_leak"].tolist() == [False, True]
    assert judged["slope_bytes_per_s"] == pytest.approx([MIB, MIB])
