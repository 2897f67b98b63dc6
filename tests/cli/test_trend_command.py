"""`memanalysis trend` in a terminal of 80 columns, and in files."""

import json
from pathlib import Path

import pytest
from fleet_ledger import POLICY
from jsonschema import Draft202012Validator

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.output_schemas import make_output_schema

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(json.dumps(POLICY), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_one_page_in_its_width(
    fleet: Path, policy: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["trend", str(fleet), "--policy", policy]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("The 6 weeks to 2025-07-13: 3 of 12")
    assert "Leaks" in lines
    if columns == 80:
        assert len(lines) < 100
        assert any("orders.py:41" in line for line in lines)


def test_json_is_as_its_schema_describes_it(fleet: Path, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(fleet), "--weeks", "2", "--policy", policy, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    Draft202012Validator(make_output_schema("trend")).validate(document)
    assert all(document[name] for name in ("services", "by_week", "leaks", "releases", "breaches", "forecasts"))
    assert (document["format"], document["weeks"]) == ("memanalysis-trend", 2)


def test_html_and_text_go_to_files(fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form, start in (("html", "<!DOCTYPE html>"), ("text", "The week")):
        out = tmp_path / form
        assert main(["trend", str(fleet), "--weeks", "1", "--format", form, "-o", str(out)]) == 0
        assert f"Trend: {out}" in capsys.readouterr().out
        assert out.read_text(encoding="utf-8").startswith(start)


def test_a_folder_without_samples_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(tmp_path)]) == EXIT_ERROR
    assert "memanalysis: error:" in capsys.readouterr().err
