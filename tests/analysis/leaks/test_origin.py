"""What samples and tracing windows show of where growth comes from; the figures are chosen by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import as_samples, ramp

from memanalysis.analysis.leaks.origin import RunSamples, find_origin
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, OriginThresholds, Thresholds
from memanalysis.analysis.verdict import Reason
from memanalysis.units import KIB, MIB


def make_leak(**columns: object) -> dict[str, Any]:
    """One leak of 1 MiB a second that is not explained yet, as the step before returns it."""
    row = {"service": "shop", "run_id": "r1", "is_leak": True, "metric": "rss_bytes"}
    row |= {"slope_bytes_per_s": 1.0 * MIB} | columns
    frame: dict[str, Any] = {
        name: np.array([cell], dtype=object if cell is None or isinstance(cell, str) else None)
        for name, cell in row.items()
    }
    return frame | {"reasons": as_reasons((Reason.RISES_IN_EACH_WINDOW,))}


def as_reasons(*rows: tuple[Reason, ...]) -> Any:
    column = np.empty(len(rows), dtype=object)
    column[:] = rows
    return column


def judge(frame: dict[str, Any], events: pd.DataFrame) -> tuple[str, tuple[Reason, ...]]:
    found = find_origin(frame, DEFAULT_THRESHOLDS, events=events)
    return found["origin"][0], found["reasons"][0][1:]


def make_windows(*, kept, grown, seconds=4.0, n=3, **columns):
    """Windows of one length; ``kept`` bytes came back after all of them, RSS grew by ``grown`` in each."""
    rows = [
        {"seconds": seconds, "rss_growth_bytes": grown, "suspect_bytes": kept * number // n, "suspects": 1}
        for number in range(1, n + 1)
    ]
    events = pd.DataFrame({"service": "shop", "run_id": "r1", "kind": "window", "data": rows})
    return events.assign(**columns)


@pytest.mark.parametrize(
    ("kept", "grown", "origin"),
    [
        (12 * MIB, 4 * MIB, "python"),  # all of 12 s at 1 MiB/s
        (5 * MIB, 4 * MIB, "python"),  # 42 % of it
        (2 * MIB, 1 * MIB, "python"),  # tracing slowed it, and it is two thirds of what RSS grew by meanwhile
        (
            2 * MIB,
            100 * KIB,
            "python",
        ),  # RSS shows nothing, as freed memory was used again, but it is a sixth of the run's
        (2 * MIB, 4 * MIB, "native"),  # a sixth on either measure
        (0, 4 * MIB, "native"),
        (0, 0, "native"),  # no Python memory at all came back
        (64 * KIB, 0, "native"),  # half a percent: slowed by 50, a leak would have kept 0.8 %
        (512 * KIB, 100 * KIB, "unknown"),  # 4 %, and RSS shows nothing: a leak that tracing slowed, or not
        (512 * KIB, None, "unknown"),
        (512 * KIB, -4 * MIB, "unknown"),
    ],
)
def test_survivors_are_compared_with_the_growth_of_rss(kept, grown, origin):
    assert judge(make_leak(), make_windows(kept=kept, grown=grown))[0] == origin


@pytest.mark.parametrize(
    "columns", [{"is_leak": False}, {"metric": "traced_bytes"}, {"run_id": "r2"}, {"service": "b"}]
)
def test_what_needs_no_windows_or_has_none_stays_unknown(columns):
    assert judge(make_leak(**columns), make_windows(kept=12 * MIB, grown=4 * MIB)) == ("unknown", ())


def test_events_of_another_kind_explain_nothing():
    assert judge(make_leak(), make_windows(kept=0, grown=0, kind="cell")) == ("unknown", ())


@pytest.mark.parametrize("data", [None, "text", {}, {"seconds": "long", "suspect_bytes": None}])
def test_windows_of_a_foreign_ledger_that_say_nothing_change_nothing(data):
    events = make_windows(kept=12 * MIB, grown=4 * MIB)
    events["data"] = [data] * len(events)

    assert judge(make_leak(), events) == ("unknown", ())


@pytest.mark.parametrize("unknown", [None, "many", True, float("nan"), float("inf"), 10**400])
def test_survivors_that_are_not_known_show_no_origin(unknown):
    events = make_windows(kept=0, grown=50 * MIB)
    events["data"] = [cell | {"suspect_bytes": unknown} for cell in events["data"]]

    assert judge(make_leak(), events) == ("unknown", ())


@pytest.mark.parametrize("n", [0, 3])
def test_an_early_window_shows_no_origin_and_is_not_among_those_that_do(n):
    """It saw 200 MiB of a warm-up in 20 s; with it the suspects would have kept a twelfth of the growth."""
    early = {"window": 0, "seconds": 20.0, "rss_growth_bytes": 200 * MIB, "suspect_bytes": None}
    events = make_windows(kept=12 * MIB, grown=4 * MIB)
    events["data"] = [cell | {"window": number} for number, cell in enumerate(events["data"], start=1)]
    events = pd.concat([events.head(1).assign(data=[early]), events.head(n)], ignore_index=True)

    assert judge(make_leak(), events)[0] == ("python" if n else "unknown")


def test_each_run_is_explained_by_its_own_windows_and_the_input_stays():
    one, two = make_leak(), make_leak(run_id="r2")
    frame = {name: np.concatenate([one[name], two[name]]) for name in one}
    windows = [make_windows(kept=12 * MIB, grown=4 * MIB), make_windows(kept=0, grown=4 * MIB, run_id="r2")]
    before = frame["reasons"].copy()
    found = find_origin(frame, DEFAULT_THRESHOLDS, events=pd.concat(windows, ignore_index=True))

    assert found["origin"].tolist() == ["python", "native"]
    assert found["reasons"][1] == (Reason.RISES_IN_EACH_WINDOW, Reason.NATIVE_IN_WINDOWS)
    assert found["window_rss_growth_bytes"].tolist() == [12 * MIB, 12 * MIB]
    assert found["window_retained_bytes"].tolist() == [12 * MIB, 0]
    assert frame["reasons"].tolist() == before.tolist()
    assert "origin" not in frame


def test_native_by_survivors_alone_where_rss_hardly_grew_in_the_windows():
    assert judge(make_leak(), make_windows(kept=0, grown=0)) == ("native", (Reason.NATIVE_BY_SURVIVORS,))


def test_windows_of_a_run_without_an_id_are_its_own():
    events = make_windows(kept=12 * MIB, grown=4 * MIB, run_id=None)
    assert judge(make_leak(run_id=None), events)[0] == "python"


def test_events_are_read_only_where_a_leak_of_rss_is_unexplained():
    def read() -> pd.DataFrame:
        raise AssertionError("read without need")

    found = find_origin(make_leak(is_leak=False), DEFAULT_THRESHOLDS, events=read)
    assert found["origin"].tolist() == ["unknown"]


@pytest.mark.parametrize(
    ("traced", "is_traced_leak", "tracer", "free", "min_share", "origin"),
    [
        (0.41, False, 0.0, 0.0, 0.4, "python"),
        (0.39, False, 0.0, 0.0, 0.4, "native"),
        (0.39, False, 0.0, 0.0, 0.3, "python"),  # the threshold is handed in
        (0.11, True, 0.0, 0.0, 0.4, "python"),  # a leak of its own needs a tenth only
        (0.25, False, 0.5, 0.0, 0.4, "python"),  # half of RSS is the tracer's: a quarter is half of the rest
        (0.0, False, 0.0, 0.5, 0.4, "fragmentation"),
    ],
)
def test_the_part_that_explains_enough_of_the_growth_of_rss_is_the_origin(
    traced, is_traced_leak, tracer, free, min_share, origin
):
    """RSS grows by 1 MiB a second; the parts are shares of it."""
    series = ramp(n=100)
    rise = np.arange(100.0) * MIB
    samples = as_samples(series, tracer_bytes=tracer * rise, allocator_free_bytes=free * rise)
    runs = RunSamples(frame=samples, counts=np.array([100]), elapsed_s=samples["elapsed_s"].to_numpy())
    facts = {"rss_bytes:n_samples": 100, "rss_bytes:is_leak": True, "rss_bytes:slope_bytes_per_s": 1.0 * MIB}
    facts |= {"traced_bytes:is_leak": is_traced_leak, "traced_bytes:slope_bytes_per_s": traced * MIB}
    thresholds = Thresholds(origin=OriginThresholds(min_share=min_share))

    assert find_origin(make_leak(**facts), thresholds, samples=runs)["origin"].tolist() == [origin]


@pytest.mark.parametrize(
    ("sampled", "seconds", "origin"), [(0.5, 100, "python"), (0.0, 100, "native"), (0.0, 5, "unknown")]
)
def test_what_is_sampled_tells_python_from_native_beyond_its_error(sampled, seconds, origin):
    """RSS grows by 1 MiB a second, and 30 % of it is asked for.

    Two standard errors are 2 sqrt(128 KiB * growth): 1.58 MiB of 5, more than the 1.5 MiB asked, and 7.1 MiB of 100.
    """
    series = ramp(n=100)
    samples = as_samples(series, sampled_bytes=sampled * np.arange(100.0) * MIB)
    runs = RunSamples(frame=samples, counts=np.array([100]), elapsed_s=samples["elapsed_s"].to_numpy())
    facts = {"metric": "rss_bytes", "slope_bytes_per_s": 1.0 * MIB, "judged_s": float(seconds)}
    thresholds = Thresholds(origin=OriginThresholds(min_share=0.3))

    assert find_origin(make_leak(**facts), thresholds, samples=runs)["origin"].tolist() == [origin]
