"""A file of known leaks is checked entry by entry, and errors name file, line and key."""

from datetime import date
from pathlib import Path

import pytest

from memanalysis.errors import PolicyError
from memanalysis.policy.known_leaks_file import KnownLeak, parse_known_leaks, read_known_leaks

GOOD = """\
known_leaks:
  - fingerprint: leak-1a2b3c4d5e6f
    reason: "session registry, fixed in 2.4 (#123)"
    expires: 2027-01-31
    service: api
    owner: team-payments
  - {fingerprint: leak-000000000000, reason: upstream, expires: "2026-12-01"}
"""


def test_entries_are_read_with_their_dates(tmp_path):
    path = tmp_path / "known_leaks.yaml"
    path.write_text(GOOD, encoding="utf-8")

    assert read_known_leaks(path) == (
        KnownLeak(
            "leak-1a2b3c4d5e6f", "session registry, fixed in 2.4 (#123)", date(2027, 1, 31), "api", "team-payments"
        ),
        KnownLeak("leak-000000000000", "upstream", date(2026, 12, 1)),
    )


@pytest.mark.parametrize("text", ["known_leaks: []\n", "{}\n"])
def test_a_file_may_know_of_no_leak(tmp_path, text):
    path = tmp_path / "known_leaks.yaml"
    path.write_text(text, encoding="utf-8")

    assert read_known_leaks(path) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "leak-1a2b3c4d5e6f",
            "1a2b",
            "2: known_leaks[0].fingerprint: needs a fingerprint, leak- and 12 digits from 0 to 9 and a to f, but got "
            "the text '1a2b'. Write the fingerprint that memanalysis assess shows for the leak.",
        ),
        (
            '"session registry, fixed in 2.4 (#123)"',
            "",
            "3: known_leaks[0].reason: needs a reason, but got nothing. Write for example "
            '"fixed in 2.4, see issue 123".',
        ),
        (
            "2027-01-31",
            "2027-02-31",
            "4: known_leaks[0].expires: needs a date as year-month-day, but got the text '2027-02-31'. Write the last "
            "day on which it is accepted, for example 2027-01-31.",
        ),
        (
            "    expires: 2027-01-31\n",
            "",
            "2: known_leaks[0]: needs fingerprint, reason, expires, but got no expires. Write the last day on which it "
            "is accepted, for example 2027-01-31.",
        ),
        (
            "owner",
            "ownr",
            "6: known_leaks[0].ownr: needs a key among fingerprint, reason, expires, service, owner, but got an "
            "unknown key. The nearest known key is 'owner'.",
        ),
        (
            "leak-000000000000",
            "leak-1a2b3c4d5e6f",
            "7: known_leaks[1].fingerprint: needs each fingerprint once, but got leak-1a2b3c4d5e6f again. Remove one "
            "of the entries.",
        ),
        (
            "known_leaks:",
            "leaks:",
            "1: needs the one key known_leaks, but got the keys leaks. Write known_leaks: and the list.",
        ),
        (GOOD, "known_leaks: 3\n", "1: known_leaks: needs a list of entries, but got 3. Write [] for none."),
        (
            GOOD,
            "- leak-1a2b3c4d5e6f\n",
            "1: needs the one key known_leaks, but got a list. Write known_leaks: and the list.",
        ),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path, old, new, message):
    path = tmp_path / "known_leaks.yaml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(PolicyError) as caught:
        read_known_leaks(path)
    assert str(caught.value) == f"{path}:{message}"


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(PolicyError, match=r"needs a file of known leaks, but got no such file\. Check the path\."):
        read_known_leaks(tmp_path / "no.yaml")


def test_an_empty_file_is_no_file_of_known_leaks(tmp_path):
    path = tmp_path / "known_leaks.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")

    with pytest.raises(PolicyError, match="needs known leaks, but got an empty file"):
        read_known_leaks(path)


def test_what_is_no_entry_is_said_to_be_none():
    with pytest.raises(PolicyError, match=r"known leaks: known_leaks\[0\]: needs a mapping of keys to values"):
        parse_known_leaks({"known_leaks": ["leak-1a2b3c4d5e6f"]})


def test_the_documented_file_is_right(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "tasks" / "continuous-integration.md"
    path = tmp_path / "known_leaks.yaml"
    example = page.read_text(encoding="utf-8").split('```yaml title="known_leaks.yaml"\n')[1]
    path.write_text(example.split("```")[0], encoding="utf-8")

    assert [leak.service for leak in read_known_leaks(path)] == ["leaky_service"]
