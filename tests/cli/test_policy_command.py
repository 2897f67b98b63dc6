import json
from pathlib import Path

import pytest
import yaml

from memanalysis.cli import main


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.slow
def test_a_right_policy_is_shown_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text("memory_budgets: {services: {messaging: 100MB}}")

    assert main(["policy", "check", "policy.yaml"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["OK:", "policy.yaml"]
    assert ["messaging", "100", "MiB", "80.0", "MiB", "95.0", "MiB"] in rows
    assert ["every", "other", "512", "MiB", "410", "MiB", "486", "MiB"] in rows


def test_a_wrong_policy_names_file_line_and_key_and_what_would_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text("memory_budgets:\n  globl: {}\n")

    assert main(["policy", "check", "policy.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("memanalysis: error: policy.yaml:2: memory_budgets.globl: ")
    assert "global" in error.partition("memory_budgets.globl")[2]


def test_a_missing_policy_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", "none.yaml"]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_service_of_a_hostile_name_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text('memory_budgets: {services: {"a\\n\\e[31m[red]b": 100MB}}')

    assert main(["policy", "check", "policy.yaml"]) == 0
    assert "\na\\u000a\\u001b[31m[red]b " in capsys.readouterr().out


def test_all_errors_of_a_file_are_printed_and_each_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text("memory_budgets:\n  globl: {}\nleak_detection:\n  sensitivity: hihg\n")

    assert main(["policy", "check", "policy.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "memanalysis: error: policy.yaml: 2 errors"
    assert [line.split(": ")[0] for line in lines[1:]] == ["  policy.yaml:2", "  policy.yaml:4"]


def test_what_is_in_force_is_shown_with_its_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.yaml").write_text("leak_detection:\n  sensitivity: low\n")
    monkeypatch.setenv("MEMANALYSIS_POLICY__LEDGER__ENABLED", "false")

    assert main(["policy", "show", "policy.yaml", "--set", "alerts.channels=[logging]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "leak_detection.sensitivity: low  # policy.yaml:2" in lines
    assert "leak_detection.enabled: true  # default" in lines
    assert "ledger.enabled: false  # environment MEMANALYSIS_POLICY__LEDGER__ENABLED" in lines
    assert "alerts.channels: [logging]  # argument alerts.channels=[logging]" in lines


def test_without_a_file_the_packaged_policy_is_shown_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", "--format", "json"]) == 0
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["memory_budgets.services.messaging.max_memory_mb"]["value"] == 100
    assert "memory_policy.yaml:" in rows["alerts.channels"]["origin"]


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["ledger"]["type"] == "object"


def test_a_policy_is_exported_as_rules_of_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text("memory_budgets: {services: {messaging: 100MB}}")

    assert main(["policy", "export", "prometheus", "policy.yaml"]) == 0
    (group,) = yaml.safe_load(capsys.readouterr().out)["groups"]
    assert group["name"] == "memanalysis"
    assert group["rules"][0]["expr"] == 'memanalysis_memory_bytes{service="messaging"} >= 83886080'
