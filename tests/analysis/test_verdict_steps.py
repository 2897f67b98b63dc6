"""The list of steps: its order, what it reads and when, and that live, single and recorded series take the same."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import as_samples, plateau, ramp, sawtooth, steps

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.series.prepare import prepare_series
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
from memanalysis.analysis.verdict_frame import frame_from_table, table_from_frame
from memanalysis.analysis.verdict_steps import VerdictInputs, make_verdict_steps, run_verdict_steps


def inputs_of(series: Any, **more: Any) -> VerdictInputs:
    batches = {"rss_bytes": prepare_series(series.elapsed_s, series.values)}
    return VerdictInputs(batches=batches, limits=np.array([np.nan]), rules=SeverityRules(), **more)


@pytest.mark.slow
def test_the_steps_are_these_in_this_order():
    names = [
        step.func.__name__ if isinstance(step, partial) else step.__name__  # type: ignore[attr-defined]
        for step in make_verdict_steps(inputs_of(ramp()))
    ]
    assert names == [
        "judge_series",
        "find_origin",
        "find_copy_on_write",
        "find_pile_ups",
        "find_held_free",
        "find_responsible",
        "judge_families",
        "add_fingerprint",
        "apply_known_leaks",
        "write_sentence",
    ]


@pytest.mark.parametrize("series", [ramp(n=100), plateau(), sawtooth()], ids=["leak", "cache", "saw-tooth"])
def test_no_step_changes_the_frame_that_it_was_given(series):
    frame: dict[str, Any] = {name: np.array([name], dtype=object) for name in ("service", "run_id")}
    for step in make_verdict_steps(inputs_of(series)):
        before = {name: column.copy() for name, column in frame.items()}
        after = step(frame, DEFAULT_THRESHOLDS)
        assert frame.keys() == before.keys()
        assert all(np.array_equal(frame[name], before[name], equal_nan=frame[name].dtype.kind == "f") for name in frame)
        assert after.keys() > frame.keys()
        frame = after


@pytest.mark.parametrize("series", [ramp(n=100), plateau(), steps(), sawtooth()])
def test_live_single_and_recorded_series_have_one_verdict(series):
    live = LiveSeries()
    for time_s, value in zip(series.elapsed_s.tolist(), series.values.tolist(), strict=True):
        live.add(time_s, value)
    single, recorded = assess_series(series.elapsed_s, series.values), assess_samples(as_samples(series)).iloc[0]

    assert live.judge() == single
    assert (recorded["shape"], recorded["sentence"]) == (single.shape, single.sentence)
    assert recorded["reasons"] == " ".join(single.reasons)
    assert recorded["severity"] == single.severity


def test_tables_are_read_only_where_there_is_a_leak():
    def read(run_ids: Sequence[str | None] = ()) -> pd.DataFrame:
        reads.append(list(run_ids))
        return pd.DataFrame(columns=["service", "run_id", "kind", "data"])

    reads: list[list[str | None]] = []
    healthy, leaking = as_samples(plateau()), as_samples(ramp(n=100), run_id="leaking")
    assess_samples(healthy, sites=read, events=read)
    assert reads == []
    assess_samples(pd.concat([healthy, leaking]), sites=read, events=read)
    assert sorted(reads) == [[], ["leaking"]]


def test_a_table_of_verdicts_is_the_frame_of_the_steps_and_back():
    table = assess_samples(pd.concat([as_samples(ramp(n=100)), as_samples(plateau(), service="cache")]))
    frame = frame_from_table(table)

    assert frame["reasons"].tolist() == [(Reason.LEVELS_OFF,), (Reason.RISES_IN_EACH_WINDOW,)]
    pd.testing.assert_frame_equal(table_from_frame(frame), table)
    last = make_verdict_steps(inputs_of(ramp()))[-1]
    assert run_verdict_steps([last], frame, DEFAULT_THRESHOLDS)["sentence"].tolist() == table["sentence"].tolist()


def test_a_single_series_is_judged_without_pandas():
    code = (
        "import sys; from memanalysis.analysis.series_verdict import assess_series; "
        "print(assess_series(range(50), range(10**8, 10**8 + 50 * 10**6, 10**6)).shape, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["growing", "False"]
