"""A budget that is a share of the limit is a share of what was recorded, and not of where it is judged."""

import pandas as pd
import pytest

from memanalysis import assess
from memanalysis.units import GIB, MIB
from memanalysis.verdicts.recorded_limits import find_limits

SHARE = {"memory_budgets": {"global": {"max_memory_mb": "50% of limit"}}}


def samples(limit_bytes: float | None) -> pd.DataFrame:
    n = 120
    return pd.DataFrame(
        {
            "service": "api",
            "run_id": "1",
            "elapsed_s": range(n),
            "rss_bytes": [100 * MIB + i * MIB for i in range(n)],
            "limit_bytes": pd.array([limit_bytes] * n, dtype="Float64"),
        }
    )


def starts(data: object) -> pd.DataFrame:
    return pd.DataFrame({"service": ["api"], "kind": ["start"], "data": [data]})


@pytest.mark.slow
def test_a_share_is_of_the_limit_that_was_recorded() -> None:
    verdict = assess(samples(GIB), policy=SHARE).iloc[0]

    assert verdict["limit_bytes"] == GIB / 2


def test_without_a_container_it_is_of_the_machine_that_was_recorded() -> None:
    assert find_limits(samples(None), lambda: starts({"machine_bytes": 8 * GIB})) == {"api": 8 * GIB}
    assert find_limits(samples(GIB), lambda: starts({"machine_bytes": 8 * GIB})) == {"api": GIB}


@pytest.mark.parametrize("data", [None, {}, {"machine_bytes": "8"}, {"machine_bytes": -1}, "text", 3])
def test_what_an_event_does_not_tell_is_unknown(data: object) -> None:
    assert find_limits(samples(None), lambda: starts(data)) == {}
