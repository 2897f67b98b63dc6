import json
from pathlib import Path

import pandas as pd
import pytest

from memanalysis import assess, report
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.reports.json_report import render_verdicts_json
from memanalysis.units import MIB


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.slow
def test_the_report_is_strict_json_with_everything_in_it(three_services: Path) -> None:
    content = json.loads(
        report(three_services, policy={"memory_budgets": {"global": {"max_memory_mb": 128}}}).to_json(),
        parse_constant=refuse,
    )

    assert content["format"] == "memanalysis-report"
    assert content["headline"] == "1 of 3 services leaks: leaking_registry grows by 1.76 GiB/h, at registry.py:42."
    assert (content["started"], content["ended"]) == ("2025-06-15T15:06:40.000000Z", "2025-06-15T15:07:39.000000Z")
    leak = content["services"][0]
    assert leak["budget"]["max_bytes"] == 128 * MIB
    assert len(leak["series"]["elapsed_s"]) == len(leak["series"]["size_bytes"]) == 60
    assert leak["sites"][0]["file"] == "app/registry.py"
    assert [event["kind"] for event in leak["events"]] == ["start", "mark"]


def test_verdicts_have_the_columns_of_the_frame_and_null_for_unknown(three_services: Path) -> None:
    rows = json.loads(render_verdicts_json(assess(three_services)), parse_constant=refuse)

    assert [list(row) for row in rows] == [list(VERDICT_COLUMNS)] * 3
    assert [row["limit_bytes"] for row in rows] == [None] * 3
    assert [row["responsible_line"] for row in rows] == [42, None, None]


@pytest.mark.parametrize(
    ("value", "written"),
    [(float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (float("nan"), None), (pd.NA, None)],
)
def test_what_json_has_no_number_for(value: object, written: object) -> None:
    frame = pd.DataFrame({"time_to_exhaustion_s": pd.Series([value], dtype=object)})

    assert json.loads(render_verdicts_json(frame)) == [{"time_to_exhaustion_s": written}]
