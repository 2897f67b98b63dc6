"""Answers are short, their numbers are those of the rows they name, and what was recorded stays data in fields."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hostile_names import HOSTILE, INJECTION, Ask
from ledger_makers import START, LedgerMaker

import memanalysis
from memanalysis.assistant.served_ledgers import ServedLedgers
from memanalysis.assistant.tools import TOOLS, answer_question, describe_arguments
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.units import MIB

SAMPLE = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"

OBJECTS = {"service": "objects"}
RUNS = OBJECTS | {"table": "runs"}

FIELDS_OF_NAMES = {
    "service", "run_id", "file", "function", "path", "held_by", "chain", "type", "release", "known", "asked", "message",
    "data", "traceback", "marks", "reason", "site_id",
}  # fmt: skip
"""The fields that may hold what a program recorded."""


def find_texts(content: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Every text of an answer with the name of its field; those of a list have the name of the list."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from find_texts(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from find_texts(value, field)
    elif isinstance(content, str):
        yield field, content


def ask_pages(ask: Ask, tool: str, name: str, **arguments: Any) -> list[dict[str, Any]]:
    """All entries of a list, asked for page by page."""
    entries: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        answer = ask(tool, offset=offset, **arguments)
        entries += answer[name]
        offset = answer.get("next_offset")
    assert len(entries) == answer["total"]
    return entries


@pytest.mark.slow
def test_names_of_a_ledger_stand_in_fields_alone_and_no_sentence_has_one(ask: Ask):
    services = [entry["service"] for entry in ask_pages(ask, "list_services", "services")]
    answers = [
        *(ask_pages(ask, tool, name) for tool, name in (("list_services", "services"), ("verdict", "verdicts"))),
        ask("policy", budget_mb=50),
        ask("compare", mark="nowhere", is_error=True),
        ask("compare", mark=INJECTION * 9),
        ask("rows", table="runs", service=INJECTION, is_error=True),
    ]
    for service in services:
        for tool in ("list_runs", "evidence", "holders", "verdict", "policy", "compare"):
            more = {"policy": {"budget_mb": 50}, "compare": {"other_ledger": 0}}.get(tool, {})
            answers.append(ask(tool, service=service, **more))
        for table in ("runs", "samples", "sites", "objects", "events"):
            answers.append(ask("rows", table=table, service=service))
    found = [(field, text) for answer in answers for field, text in find_texts(answer) if "SYSTEM" in text]

    assert len(found) > 20
    assert {field for field, _ in found} <= FIELDS_OF_NAMES
    assert max(len(text) for _, text in found) <= 200
    sentences = {text for answer in answers for field, text in find_texts(answer) if field == "sentence"}
    assert any("of the traced growth comes from <responsible>:42." in text for text in sentences)


def test_a_name_that_an_answer_shows_can_be_asked_for_and_is_no_other(ask: Ask):
    shown = [entry["service"] for entry in ask_pages(ask, "list_services", "services")]

    assert len(set(shown)) == 3
    assert all(len(json.dumps(name)) <= 66 for name in shown)
    for name in shown:
        runs = ask("list_runs", service=name)["runs"]
        assert [ask("evidence", service=name, run_id=run["run_id"])["service"] for run in runs] == [name]
    assert ask("list_runs", service=HOSTILE["twin"])["service"] in shown


@pytest.mark.slow
def test_an_answer_names_the_rows_that_its_numbers_were_made_from(ask: Ask):
    (name,) = {entry["service"] for entry in ask("list_services")["services"]} & {"objects"} or {"objects"}
    service = next(entry["service"] for entry in ask("list_services")["services"] if entry["service"] != name)
    verdict = ask("verdict", service=service)["verdicts"][0]
    place = verdict["from"]
    rows = ask_pages(
        ask, "rows", "rows", table=place["table"], service=service, run_id=place["run_id"], since=place["time"][0],
        until=place["time"][1], columns=["seq", "timestamp", "elapsed_s", *place["columns"]],
    )  # fmt: skip
    sizes = {row["seq"]: row["rss_bytes"] for row in rows}

    assert len(rows) == place["rows"] == verdict["n_samples"] == 60
    assert place["seq"] == [min(sizes), max(sizes)]
    assert verdict["slope_bytes_per_s"] == pytest.approx(0.5 * MIB, rel=0.02)
    series = ask("evidence", service=service)["series"]
    assert all(sizes[seq] == size for seq, _, size in series["points"])
    assert (series["min_bytes"], series["max_bytes"]) == (min(sizes.values()), max(sizes.values()))
    assert verdict["responsible"]["line"] == 42


def test_the_lines_are_those_of_the_table_sites(ask: Ask):
    service = ask("list_services")["services"][0]["service"]
    evidence = ask("evidence", service=service)
    if "sites_from" not in evidence:
        service = ask("list_services")["services"][1]["service"]
        evidence = ask("evidence", service=service)
    first, last = evidence["sites_from"]["seq"]
    rows = [
        ask("rows", table="sites", service=service, first_seq=seq, last_seq=seq, columns=["line", "size_bytes"])["rows"]
        for seq in (first, last)
    ]

    assert evidence["sites"][0]["line"] == rows[0][0]["line"] == 42
    assert evidence["sites"][0]["first_bytes"] == rows[0][0]["size_bytes"]
    assert evidence["sites"][0]["last_bytes"] == rows[1][0]["size_bytes"]


def test_holders_are_the_recorded_chains_and_the_types_that_grew(ask: Ask):
    service = next(entry["service"] for entry in ask("list_services")["services"] if entry["service"] != "objects")
    held = ask("holders", service=service)
    counted = ask("holders", service="objects")

    assert held["chains"][0]["share"] == 0.9
    assert held["chains_from"]["kind"] == "holders"
    assert [(entry["first"], entry["last"]) for entry in counted["types"]] == [(10, 1000)]
    assert "note" in counted


def test_a_verdict_is_that_of_assess():
    served = ServedLedgers([open_ledger(SAMPLE)], None)
    text, failed = answer_question(served, "verdict", {})
    verdict = json.loads(text)["verdicts"][0]
    expected = memanalysis.assess(SAMPLE).iloc[0]

    assert not failed
    assert (verdict["shape"], verdict["is_leak"], verdict["responsible"]["line"]) == ("growing", True, 58)
    for name in ("slope_bytes_per_s", "low_bytes_per_s", "high_bytes_per_s", "growth_bytes"):
        assert verdict[name] == pytest.approx(expected[name], rel=1e-5)
    assert verdict["fingerprint"] == expected["fingerprint"]


def test_a_budget_is_judged_as_the_policy_or_the_question_has_it(tmp_path: Path):
    maker = LedgerMaker(tmp_path / "ledger")
    maker.add("flat", lambda at: 50 * MIB + 1000 * (at % 3))
    policy = parse_policy({"memory_budgets": {"global": {"max_memory_mb": 60}}})
    served = ServedLedgers([open_ledger(tmp_path / "ledger")], policy)

    def judge(**arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(answer_question(served, "policy", arguments)[0])
        return {"of": answer["budget_of"], **answer["runs"][0]}

    by_policy, tried = judge(), judge(budget_mb=40)
    assert (by_policy["of"], by_policy["level"], by_policy["breaches"]) == ("policy", "warning", 1)
    assert by_policy["headroom_bytes"] == 60 * MIB - by_policy["last_bytes"]
    assert (tried["of"], tried["level"], tried["worst_breach"]["level"]) == ("question", "critical", "critical")
    assert tried["worst_breach"]["headroom_bytes"] == 40 * MIB - 50 * MIB - 2000
    assert json.loads(answer_question(ServedLedgers(served.ledgers, None), "policy", {})[0])["error"].startswith(
        "No pol"
    )


def test_two_ledgers_are_compared_and_each_side_names_its_rows(tmp_path: Path):
    for name, level in (("before", 50), ("after", 80)):
        maker = LedgerMaker(tmp_path / name)
        for _ in range(3):
            maker.add("api", lambda at, level=level: level * MIB + 10_000 * (at % 5))  # type: ignore[misc]
    served = ServedLedgers([open_ledger(tmp_path / name) for name in ("before", "after")], None)
    answer = json.loads(answer_question(served, "compare", {"other_ledger": 1})[0])
    level = answer["comparisons"][0]

    assert (level["what"], level["verdict"]) == ("level_bytes", "more")
    assert level["change"] == pytest.approx(30 * MIB, rel=0.01)
    assert level["before_from"]["rows"] == level["after_from"]["rows"] == 180
    assert level["before_from"]["runs"] == 3


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("verdict", {"servce": "api"}, "Object contains unknown field `servce`"),
        ("evidence", {}, "Object missing required field `service`"),
        ("verdict", {"service": 3}, "Expected `str | null`, got `int` - at `$.service`"),
        ("verdict", {"offset": -1}, "Expected `int` >= 0 - at `$.offset`"),
        ("rows", {"table": "../../etc", "service": "x"}, "Invalid enum value '../../etc' - at `$.table`"),
        ("verdict", {"ledger": 7}, "There is no ledger 7: they have the numbers 0 to 0."),
        ("verdict", {"service": "/etc/passwd"}, "There is no such service: list_services gives the names."),
        ("evidence", OBJECTS | {"run_id": "x"}, "There is no such run_id: list_runs gives those of a service."),
        ("verdict", {"offset": 99}, "offset is 99, but there are 3 entries. Begin with offset 0."),
        ("rows", OBJECTS | {"table": "events", "first_seq": 1}, "The table events has no seq. Use since and until."),
        ("rows", RUNS | {"since": "x"}, "since and until need a moment such as 2026-11-01T08:00:00Z."),
        ("rows", RUNS | {"columns": ["x"]}, "The table runs has no such columns."),
        ("compare", {}, "compare needs one of other_ledger, mark and releases, and only one."),
        ("compare", {"mark": "x"}, "The ledger cannot be cut there: it has no such marks, or both are the same."),
        ("delete", {}, "There is no such tool."),
    ],
)  # fmt: skip
def test_a_wrong_question_is_an_error_that_says_what_is_wrong(
    ask: Ask, tool: str, arguments: dict[str, Any], text: str
):
    answer = ask(tool, is_error=True, **arguments)

    assert text in (answer["error"], answer.get("reason"))


def test_a_ledger_that_goes_away_is_an_error_and_no_end(tmp_path: Path):
    maker = LedgerMaker(tmp_path / "ledger")
    maker.add("api", lambda at: 50 * MIB, n=3)
    served = ServedLedgers([open_ledger(tmp_path / "ledger")], None)
    (tmp_path / "ledger").rename(tmp_path / "elsewhere")
    text, failed = answer_question(served, "verdict", {"service": "api"})

    assert failed
    assert set(json.loads(text)) <= {"error", "reason", "asked", "known"}


def test_rows_are_exact(tmp_path: Path):
    maker = LedgerMaker(tmp_path / "ledger")
    maker.add("api", lambda at: 50 * MIB + 1, n=3, step_s=1 / 3)
    served = ServedLedgers([open_ledger(tmp_path / "ledger")], None)
    question = {"table": "samples", "service": "api", "columns": ["elapsed_s", "timestamp"]}
    rows = json.loads(answer_question(served, "rows", question)[0])["rows"]

    assert [row["elapsed_s"] for row in rows] == [0.0, 1 / 3, 2 / 3]
    assert rows[0]["timestamp"] == "2025-06-15T15:06:40.000000Z"
    assert START == 1_750_000_000


@pytest.mark.parametrize("name", TOOLS)
def test_the_arguments_of_a_tool_have_a_schema_without_a_path(name: str):
    schema = describe_arguments(TOOLS[name])

    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert not {field for field in schema["properties"] if "path" in field or "file" in field}
    assert len(msgspec.json.encode(schema)) < 3000
