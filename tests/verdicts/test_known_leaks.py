"""Accepted leaks are listed and not counted; entries for new ones are written ready to be reasoned."""

from datetime import date

import pandas as pd
import pytest

from memanalysis.analysis.leaks.accepted_leaks import mark_known
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.known_leaks_file import KnownLeak, parse_known_leaks, read_known_leaks
from memanalysis.reports.make_report import report
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.known_leaks import render_known_leaks

NEW_YEAR = date(2027, 1, 1)


@pytest.fixture(scope="module")
def accepted(three_services) -> KnownLeak:
    verdicts = assess(three_services)
    return KnownLeak(verdicts["fingerprint"].dropna().item(), "goes with the old parser", NEW_YEAR)


@pytest.mark.slow
def test_an_accepted_leak_is_not_counted_in_the_headline_and_comes_after_the_rest(three_services, accepted):
    made = report(three_services, known_leaks=[accepted], today=NEW_YEAR)

    assert made.headline == ("No other leak was shown in 3 services. 1 known leak is accepted and not counted.")
    assert made.sections[0].service == "leaking_registry"
    for text in (made.to_markdown(), made.to_html()):
        assert "Accepted until 2027-01-01: goes with the old parser." in text
    assert '"known": "accepted"' in made.to_json()


def test_a_day_later_it_is_counted_again(three_services, accepted):
    made = report(three_services, known_leaks=[accepted], today=date(2027, 1, 2))
    assert made.headline.startswith("1 of 3 services leaks: leaking_registry grows")


def test_entries_are_proposed_for_what_is_new_only(three_services, accepted):
    text = render_known_leaks(assess(three_services), today=NEW_YEAR)
    known = assess(three_services, known_leaks=[accepted], today=NEW_YEAR)

    assert text.splitlines()[2:] == [
        f"  - fingerprint: {accepted.fingerprint}",
        '    service: "leaking_registry"',
        "    reason:  # why it may stay",
        "    expires: 2027-04-01",
    ]
    assert render_known_leaks(known, today=NEW_YEAR) == "known_leaks: []\n"
    assert parse_known_leaks({"known_leaks": []}) == ()


@pytest.mark.parametrize("wrong", [3, ["leak-1a2b3c4d5e6f"]])
def test_what_is_no_list_of_known_leaks_is_refused(three_services, wrong):
    with pytest.raises(InvalidArgumentError, match="assess needs known_leaks= as a path or KnownLeak entries, but got"):
        assess(three_services, known_leaks=wrong)


@pytest.mark.parametrize("service", ["caf\u00e9 \U0001f600", "a\u202eb", 'quoted "x" # y', "tab\there", None])
def test_an_entry_that_was_written_accepts_its_leak_whatever_the_service_is_called(service, three_services, tmp_path):
    verdicts = assess(three_services).assign(service=pd.array([service] * 3, dtype=object))
    path = tmp_path / "known_leaks.yaml"
    path.write_text(render_known_leaks(verdicts, today=NEW_YEAR).replace("reason:", "reason: fine"), encoding="utf-8")

    marked = mark_known(verdicts, read_known_leaks(path), today=NEW_YEAR)

    assert marked["known"].dropna().tolist() == ["accepted"]
