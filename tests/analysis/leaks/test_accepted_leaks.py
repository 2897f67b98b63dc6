"""A leak is accepted to the end of its last day, and new where nobody accepted it."""

from dataclasses import dataclass
from datetime import date

import pandas as pd
import pytest
from factories import as_samples, plateau, ramp

from memanalysis.analysis.leaks.accepted_leaks import apply_known_leaks, are_unaccepted, mark_known
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
from memanalysis.analysis.verdict_frame import frame_from_table
from memanalysis.errors import InvalidArgumentError, MissingColumnError


@dataclass(frozen=True)
class Entry:
    fingerprint: str
    reason: str = "fixed in 2.4."
    expires: date = date(2027, 1, 31)
    service: str | None = None


@pytest.fixture(scope="module")
def verdicts() -> pd.DataFrame:
    """Two leaks and a cache."""
    frames = [(ramp(n=100), "api"), (plateau(), "cache"), (ramp(n=100), "shop")]
    return assess_samples(pd.concat([as_samples(series, service=service) for series, service in frames]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("today", "known", "ending"),
    [
        (date(2027, 1, 31), "accepted", " Accepted until 2027-01-31: fixed in 2.4."),
        (date(2027, 2, 1), "expired", " Was accepted until 2027-01-31: fixed in 2.4."),
    ],
)
def test_an_entry_holds_to_the_end_of_its_last_day(verdicts, today, known, ending):
    marked = mark_known(verdicts, [Entry(verdicts["fingerprint"][0])], today=today)

    assert marked["known"].tolist() == [known, None, "new"]
    assert marked["sentence"][0] == verdicts["sentence"][0] + ending
    assert marked["sentence"][2] == verdicts["sentence"][2]
    assert are_unaccepted(marked).sum() == (1 if known == "accepted" else 2)


def test_the_verdict_and_its_severity_stay(verdicts):
    marked = mark_known(verdicts, [Entry(verdicts["fingerprint"][0])], today=date(2027, 1, 1))

    rest = verdicts.columns.drop(["known", "accepted_until", "accepted_reason", "reasons", "sentence"])
    pd.testing.assert_frame_equal(marked[rest], verdicts[rest])


def test_an_entry_for_another_service_accepts_nothing(verdicts):
    entries = [Entry(verdicts["fingerprint"][0], service="shop"), Entry(verdicts["fingerprint"][2], service="shop")]

    assert mark_known(verdicts, entries, today=date(2027, 1, 1))["known"].tolist() == ["new", None, "accepted"]


def test_without_entries_every_leak_is_new(verdicts):
    assert verdicts["known"].tolist() == ["new", None, "new"]
    pd.testing.assert_frame_equal(mark_known(verdicts, [], today=date(2027, 1, 1)), verdicts)


def test_an_empty_frame_stays_empty(verdicts):
    assert mark_known(verdicts.iloc[:0], [Entry("leak-000000000000")], today=date(2027, 1, 1)).empty


def test_a_missing_column_is_named(verdicts):
    with pytest.raises(MissingColumnError, match=r"mark_known needs the columns \['fingerprint'\]"):
        mark_known(verdicts.drop(columns="fingerprint"), [], today=date(2027, 1, 1))
    with pytest.raises(MissingColumnError, match=r"are_unaccepted needs the columns \['known'\]"):
        are_unaccepted(verdicts.drop(columns="known"))


def test_the_step_needs_a_day_only_where_something_is_accepted(verdicts):
    frame = frame_from_table(verdicts)
    unmarked = apply_known_leaks(frame, DEFAULT_THRESHOLDS)

    assert unmarked["known"].tolist() == ["new", None, "new"]
    assert unmarked["accepted_until"].tolist() == [None, None, None]
    with pytest.raises(InvalidArgumentError, match="apply_known_leaks needs today="):
        apply_known_leaks(frame, DEFAULT_THRESHOLDS, accepted=[Entry(verdicts["fingerprint"][0])])


def test_an_acceptance_is_a_day_a_reason_and_a_code(verdicts):
    entry = Entry(verdicts["fingerprint"][0])
    frame = frame_from_table(verdicts)
    marked = apply_known_leaks(frame, DEFAULT_THRESHOLDS, accepted=[entry], today=date(2027, 2, 1))

    assert marked["accepted_until"].tolist() == ["2027-01-31", None, None]
    assert marked["accepted_reason"].tolist() == ["fixed in 2.4.", None, None]
    assert [reasons[-1] for reasons in marked["reasons"]] == [
        Reason.ACCEPTANCE_EXPIRED,
        Reason.LEVELS_OFF,
        Reason.RISES_IN_EACH_WINDOW,
    ]
    assert frame["known"].tolist() == ["new", None, "new"]


def test_samples_judged_with_acceptances_are_those_marked_afterwards_and_marking_again_changes_nothing(verdicts):
    entry, today = Entry(verdicts["fingerprint"][0]), date(2027, 1, 1)
    frames = [(ramp(n=100), "api"), (plateau(), "cache"), (ramp(n=100), "shop")]
    samples = pd.concat([as_samples(series, service=service) for series, service in frames])
    marked = mark_known(verdicts, [entry], today=today)

    pd.testing.assert_frame_equal(assess_samples(samples, accepted=[entry], today=today), marked)
    pd.testing.assert_frame_equal(mark_known(marked, [entry], today=today), marked)
