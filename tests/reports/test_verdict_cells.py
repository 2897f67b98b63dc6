import math
from typing import Any

import pandas as pd
import pytest

from memanalysis._text import make_printable
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.reports.verdict_cells import (
    format_growth,
    format_growth_interval,
    render_cells,
    render_place,
    render_time_interval,
    short_run_id,
)
from memanalysis.units import MIB

HOUR = 3600.0


def verdict(**known: Any) -> dict[str, Any]:
    return (
        dict.fromkeys(VERDICT_COLUMNS)
        | {
            "service": "api",
            "run_id": "20250615T150640Z-7-0000abcd",
            "shape": "stable",
            "origin": "unknown",
            "is_leak": False,
            "severity": "none",
            "sentence": "Stable.",
        }
        | known
    )


@pytest.mark.slow
def test_a_leak_is_said_with_its_interval_its_time_and_its_line() -> None:
    cells = render_cells(
        verdict(
            shape="growing", is_leak=True, severity="high", origin="python",
            slope_bytes_per_s=3 * MIB / HOUR, low_bytes_per_s=2.8 * MIB / HOUR, high_bytes_per_s=3.3 * MIB / HOUR,
            limit_bytes=256 * MIB, time_to_exhaustion_s=4 * HOUR,
            time_to_exhaustion_low_s=3.5 * HOUR, time_to_exhaustion_high_s=4.5 * HOUR,
            responsible_file="/srv/app/registry.py", responsible_line=42,
        )
    )  # fmt: skip

    assert (cells.leak, cells.severity, cells.shape) == ("yes", "high", "growing")
    assert (cells.growth, cells.growth_interval) == ("+3.0 MiB/h", "2.8 to 3.3")
    assert (cells.time, cells.time_interval) == ("4.0 h", "3.5 to 4.5 h")
    assert (cells.responsible, cells.responsible_path) == ("registry.py:42", "/srv/app/registry.py:42")


def test_what_is_not_known_is_unknown_and_not_none() -> None:
    cells = render_cells(verdict(shape="inconclusive"))

    assert (cells.leak, cells.severity, cells.growth, cells.growth_interval) == (
        "unknown",
        "unknown",
        "not available",
        "",
    )


def test_without_a_limit_there_is_no_budget_and_without_a_leak_no_time() -> None:
    assert render_cells(verdict()).time == "no budget"
    assert render_cells(verdict(limit_bytes=MIB)).time == "-"


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"is_leak": True, "origin": "native"}, "native code"),
        ({"is_leak": True, "origin": "unknown"}, "not known"),
        ({"is_leak": False}, "-"),
        ({"is_leak": True, "responsible_file": "a.py", "responsible_line": None}, "a.py"),
    ],
)
def test_a_missing_line_says_why(known: dict[str, Any], sentence: str) -> None:
    assert render_cells(verdict(**known)).responsible == sentence


@pytest.mark.parametrize("unknown", [None, float("nan"), pd.NA, pd.NaT])
def test_every_kind_of_missing_value_is_not_available(unknown: Any) -> None:
    assert render_cells(verdict(slope_bytes_per_s=unknown)).growth == "not available"


def test_rate_and_interval_share_one_unit_and_decimals_that_tell_the_ends_apart() -> None:
    slope, low, high = (mib * MIB / HOUR for mib in (0.5, -1.0, 2.0))

    assert format_growth(slope, low, high) == "+0.5 MiB/h"
    assert format_growth_interval(slope, low, high) == "-1.0 to +2.0"
    assert format_growth_interval(*(mib * MIB / HOUR for mib in (1.76, 1.752, 1.769))) == "1.75 to 1.77"
    assert format_growth(0.0, 0.0, 0.0) == "0.0 B/h"


def test_a_time_that_may_never_come_says_so() -> None:
    assert render_time_interval(HOUR, 0.5 * HOUR, math.inf) == "30.0 min to never"
    assert render_time_interval(math.inf, math.inf, math.inf) == ""


def test_a_place_is_shortened_to_the_file_on_any_system() -> None:
    assert render_place("/a/b/c.py", 3, short=True) == "c.py:3"
    assert render_place(r"C:\a\c.py", 3, short=True) == "c.py:3"
    assert render_place("/a/b/c.py", 3, short=False) == "/a/b/c.py:3"
    assert render_place("In[4]", 3, short=True) == "In[4]:3"


def test_text_from_a_ledger_cannot_move_the_cursor_or_turn_the_line() -> None:
    assert make_printable("a\x1b[31mb\r\nc\u202ed\ud800") == "a\\u001b[31mb\\u000d\\u000ac\\u202ed\\ud800"
    assert make_printable("größe 日本") == "größe 日本"


def test_a_run_is_named_by_the_end_of_its_id() -> None:
    assert short_run_id("20250615T150640Z-7-0000abcd") == "0000abcd"
