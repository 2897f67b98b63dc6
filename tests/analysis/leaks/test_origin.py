"""What tracing windows say of where growth comes from; the figures are chosen by hand."""

import pandas as pd
import pytest

from memanalysis.analysis.leaks.origin import explain_by_windows
from memanalysis.units import KIB, MIB


def make_verdicts(**columns):
    """One leak of 1 MiB a second that is not explained yet."""
    row = {"service": "shop", "run_id": "r1", "origin": "unknown", "is_leak": True, "metric": "rss_bytes"}
    row["sentence"] = "A leak."
    return pd.DataFrame([row | {"slope_bytes_per_s": 1.0 * MIB} | columns])


def make_windows(*, kept, grown, seconds=4.0, n=3, **columns):
    """As many windows of so many seconds; ``kept`` bytes came back after all of them, RSS grew by ``grown`` in each."""
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
        ),  # RSS says nothing, as freed memory was used again, but it is a sixth of the run's
        (2 * MIB, 4 * MIB, "native"),  # a sixth on either measure
        (0, 4 * MIB, "native"),
        (0, 0, "native"),  # no Python memory at all came back
        (64 * KIB, 0, "native"),  # half a percent: slowed by 50, a leak would have kept 0.8 %
        (512 * KIB, 100 * KIB, "unknown"),  # 4 %, and RSS says nothing: a leak that tracing slowed, or not
        (512 * KIB, None, "unknown"),
        (512 * KIB, -4 * MIB, "unknown"),
    ],
)
def test_survivors_are_held_against_the_growth_of_rss(kept, grown, origin):
    found = explain_by_windows(make_verdicts(), make_windows(kept=kept, grown=grown))

    assert found["origin"].item() == origin


@pytest.mark.parametrize(
    "columns",
    [{"is_leak": False}, {"origin": "fragmentation"}, {"metric": "traced_bytes"}, {"run_id": "r2"}, {"service": "b"}],
)
def test_what_needs_no_windows_or_has_none_stays_as_it_is(columns):
    verdicts = make_verdicts(**columns)
    found = explain_by_windows(verdicts, make_windows(kept=12 * MIB, grown=4 * MIB))

    pd.testing.assert_frame_equal(found, verdicts)


def test_without_windows_the_origin_stays_unknown():
    assert explain_by_windows(make_verdicts(), make_windows(kept=0, grown=0, kind="cell"))["origin"].item() == "unknown"


@pytest.mark.parametrize("data", [None, "text", {}, {"seconds": "long", "suspect_bytes": None}])
def test_windows_of_a_foreign_ledger_that_say_nothing_change_nothing(data):
    events = make_windows(kept=12 * MIB, grown=4 * MIB)
    events["data"] = [data] * len(events)

    assert explain_by_windows(make_verdicts(), events)["origin"].item() == "unknown"


def test_each_run_is_explained_by_its_own_windows():
    verdicts = pd.concat([make_verdicts(), make_verdicts(run_id="r2")], ignore_index=True)
    windows = [make_windows(kept=12 * MIB, grown=4 * MIB), make_windows(kept=0, grown=4 * MIB, run_id="r2")]
    found = explain_by_windows(verdicts, pd.concat(windows, ignore_index=True))

    assert found["origin"].tolist() == ["python", "native"]
    assert found["sentence"].tolist() == [
        "A leak.",
        "A leak. Native code: in the traced windows Python kept 0 B of the 12.0 MiB by which RSS grew.",
    ]
    assert verdicts["origin"].tolist() == ["unknown", "unknown"]


@pytest.mark.parametrize("told", [None, "many", True, float("nan"), float("inf"), 10**400])
def test_survivors_that_are_not_known_tell_no_origin(told):
    events = make_windows(kept=0, grown=50 * MIB)
    events["data"] = [cell | {"suspect_bytes": told} for cell in events["data"]]

    found = explain_by_windows(make_verdicts(), events)

    assert (found["origin"].item(), found["sentence"].item()) == ("unknown", "A leak.")


def test_windows_of_a_run_without_an_id_are_its_own():
    verdicts, events = make_verdicts(run_id=None), make_windows(kept=12 * MIB, grown=4 * MIB, run_id=None)

    assert explain_by_windows(verdicts, events)["origin"].item() == "python"
