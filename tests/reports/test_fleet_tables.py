"""A report on several services begins with what they show together, in each format; one on a few does not."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.reports.make_report import report


@pytest.fixture
def few_are_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memanalysis.reports.make_report.MIN_FLEET_SERVICES", 3)


@pytest.mark.usefixtures("few_are_a_fleet")
def test_the_fleet_comes_before_its_runs_in_each_format(three_services: Path) -> None:
    made = report(three_services)
    markdown, page = made.to_markdown(), made.to_html()

    assert markdown.index("## The fleet") < markdown.index("### New leaks by line") < markdown.index("## Every run")
    assert "| registry.py:42 (in " in markdown
    assert "1 of 3 runs leak" in markdown
    assert page.index("<h2>The fleet</h2>") < page.index("<h3>Most growth</h3>") < page.index("<h2>Every run</h2>")
    fleet = json.loads(made.to_json())["fleet"]
    assert [row["service"] for row in fleet["growth"]] == ["leaking_registry"]
    assert (fleet["pivot"]["leaking_runs"], fleet["pivot"]["explanations"]) == (1, [])


def test_a_few_services_have_no_such_part(three_services: Path) -> None:
    made = report(three_services)

    assert made.fleet is None
    assert "The fleet" not in made.to_markdown()
    assert json.loads(made.to_json())["fleet"] is None


@pytest.mark.usefixtures("few_are_a_fleet")
def test_the_runs_of_a_fleet_are_read_once(three_services: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[str] = []
    read_arrow = Ledger.read_arrow

    def note(self: Ledger, table: str, **asked: Any) -> pa.Table:
        tables.append(table)
        return read_arrow(self, table, **asked)

    monkeypatch.setattr(Ledger, "read_arrow", note)

    assert report(three_services).fleet is not None
    assert tables.count("runs") == 1


@pytest.mark.usefixtures("few_are_a_fleet")
def test_a_fleet_that_cannot_be_summed_up_takes_no_service_down(
    three_services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such label")

    monkeypatch.setattr("memanalysis.reports.make_report.pivot_verdicts", fail)
    made = report(three_services)

    assert (made.fleet, made.n_services) == (None, 3)
    assert "the fleet | its part cannot be made: ValueError: no such label" in made.to_markdown()
