"""Which runs go on at the end: by the hour, or by their own step where that is longer."""

import pandas as pd
import pytest

from memanalysis.analysis.recorded_still import are_recorded_still

UNTIL = pd.Timestamp("2025-06-02", tz="UTC")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behind_h", "step_h", "is_still"),
    [(0.0, 0.01, True), (0.9, 0.01, True), (1.1, 0.01, False), (1.1, 1.0, True), (10.1, 1.0, False)],
)
def test_a_run_may_be_an_hour_or_ten_of_its_steps_behind(behind_h: float, step_h: float, is_still: bool) -> None:
    last = UNTIL - pd.Timedelta(hours=behind_h)
    runs = pd.DataFrame({"first": [last - pd.Timedelta(hours=step_h * 20)], "last": [last], "count": [21]})

    assert are_recorded_still(runs, until=UNTIL).tolist() == [is_still]
