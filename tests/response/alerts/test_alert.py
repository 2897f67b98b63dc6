"""What an alert contains: as values that come back, and as text that nobody can forge."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.errors import InvalidArgumentError
from memanalysis.response.alerts.alert import ALERT_LEVELS, Alert, parse_alert
from memanalysis.response.alerts.alert_text import list_facts, render_markdown, render_text, render_title

FULL = Alert(
    "critical", "api", "api uses 97 MB of 100 MB.", 1_700_000_000.0,
    current_bytes=97 * 2**20, budget_bytes=100 * 2**20, slope_bytes_per_s=2**20 / 3600, time_left_s=7200,
    responsible="api.py:12 in serve", held_by="api.SESSIONS (dict)", done="Collected 3 unreachable objects.",
    to_do="Release what api.py:12 allocates.",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=30)
@given(st.sampled_from(ALERT_LEVELS), st.text(), st.text(), st.floats(0, 4e9), st.none() | st.floats(0, 1e12))
def test_an_alert_comes_back_from_json(level, service, message, timestamp, size):
    alert = Alert(level, service, message, timestamp, current_bytes=size)

    again = parse_alert(json.loads(json.dumps(alert.to_mapping())))

    assert again == alert
    assert again.cue_id == alert.cue_id


def test_what_is_no_alert_is_refused() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^parse_alert needs level, service, message and timestamp, but got"
    ):
        parse_alert({"level": "warning"})
    with pytest.raises(InvalidArgumentError, match="needs a level among"):
        parse_alert({"level": "loud", "service": "", "message": "", "timestamp": 0})


def test_the_cue_id_is_that_of_one_alert() -> None:
    def cue_id(level="critical", service="api", timestamp=1.0, fingerprint="budget"):
        return Alert(level, service, "m", timestamp, fingerprint=fingerprint).cue_id

    others = [cue_id("warning"), cue_id(service="b"), cue_id(timestamp=2.0), cue_id(fingerprint="leak")]

    assert cue_id() == cue_id()
    assert len({cue_id(), *others}) == 5


def test_the_text_says_figures_cause_and_cure() -> None:
    assert render_title(FULL) == "Memory critical: api"
    assert dict(list_facts(FULL)) == {
        "Service": "api",
        "Level": "critical",
        "Time": "2023-11-14 22:13:20 UTC",
        "In use": "97.0 MiB",
        "Budget": "100 MiB",
        "Growth": "1.0 MiB/h",
        "Time left": "2.0 h",
        "Responsible line": "api.py:12 in serve",
        "Held by": "api.SESSIONS (dict)",
        "What was done": "Collected 3 unreachable objects.",
        "What to do": "Release what api.py:12 allocates.",
    }
    assert render_text(FULL).startswith("api uses 97 MB of 100 MB.\n\nService: api\n")


def test_what_is_not_known_is_left_out() -> None:
    assert [name for name, _ in list_facts(Alert("warning", "api", "m", 0.0))] == ["Service", "Level", "Time"]


def test_a_name_makes_neither_a_line_nor_markup() -> None:
    forged = Alert("warning", "api\n# Forged", "<img src=x>\n- **Level:** ok", 0.0)

    lines = render_markdown(forged).splitlines()

    assert lines[0] == "# Memory warning: api \\# Forged"
    assert lines[2] == "\\<img src=x\\> - \\*\\*Level:\\*\\* ok"
