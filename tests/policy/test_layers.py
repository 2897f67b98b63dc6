"""Every value of a policy in force has an origin: default, file, environment or argument, and the later wins."""

from pathlib import Path

import pytest

from memanalysis.errors import PolicyError
from memanalysis.policy.layers import LayeredPolicy
from memanalysis.policy.loader import read_layers, read_policy

TEXT = """\
memory_budgets:
  global: {max_memory_mb: 300}
  services:
    api: 100MB
    worker-1:
      warning_threshold_percent: 50
leak_detection:
  sensitivity: low
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def origins(layers: LayeredPolicy) -> dict[str, tuple[object, str]]:
    return {one.key: (one.value, one.origin) for one in layers.list_origins()}


@pytest.mark.slow
def test_each_value_names_the_line_where_it_stands_or_the_default(path: Path) -> None:
    found = origins(read_layers(path, environment={}))

    assert found["memory_budgets.global.max_memory_mb"] == (300, f"{path}:2")
    assert found["memory_budgets.global.warning_threshold_percent"] == (80, "default")
    assert found["memory_budgets.services.api.max_memory_mb"] == (100, f"{path}:4")
    assert found["memory_budgets.services.worker-1.warning_threshold_percent"] == (50, f"{path}:6")
    assert found["memory_budgets.services.worker-1.max_memory_mb"] == (300, "memory_budgets.global")
    assert found["leak_detection.sensitivity"] == ("low", f"{path}:8")
    assert found["ledger.storage_path"] == ("logs/memory_ledger.json", "default")


def test_a_variable_wins_over_the_file_and_an_argument_over_both(path: Path) -> None:
    name = "MEMANALYSIS_POLICY__LEAK_DETECTION__SENSITIVITY"
    variables = {name: "medium", "MEMANALYSIS_POLICY__ALERTS__CHANNELS": "[logging]", "MEMANALYSIS_SPOOL": "x"}

    by_variable = origins(read_layers(path, environment=variables))
    by_argument = origins(
        read_layers(path, environment=variables, arguments=["leak_detection.sensitivity=high", "ledger.enabled=no"])
    )

    assert by_variable["leak_detection.sensitivity"] == ("medium", f"environment {name}")
    assert by_variable["alerts.channels"] == (["logging"], "environment MEMANALYSIS_POLICY__ALERTS__CHANNELS")
    assert by_argument["leak_detection.sensitivity"] == ("high", "argument leak_detection.sensitivity=high")
    assert by_argument["ledger.enabled"] == (False, "argument ledger.enabled=no")


def test_the_environment_holds_wherever_a_file_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMANALYSIS_POLICY__MEMORY_BUDGETS__GLOBAL__MAX_MEMORY_MB", "1.5 GiB")

    assert read_policy(path).budget_for("nobody").max_memory_mb == 1536


@pytest.mark.parametrize("name", ["API", "api", "Api"])
def test_a_variable_names_a_service_in_any_case_and_a_size_alone_becomes_its_budget(path: Path, name: str) -> None:
    variable = f"MEMANALYSIS_POLICY__MEMORY_BUDGETS__SERVICES__{name}__WARNING_THRESHOLD_PERCENT"

    layers = read_layers(path, environment={variable: "60"})

    budget = layers.policy.budget_for("api")
    assert (budget.max_memory_mb, budget.warning_threshold_percent) == (100, 60)
    assert origins(layers)["memory_budgets.services.api.max_memory_mb"] == (100, f"{path}:4")


def test_what_is_wrong_names_the_file_the_variable_and_the_argument(path: Path) -> None:
    path.write_text("ledger: {enabled: 3}\n", encoding="utf-8")
    variables = {"MEMANALYSIS_POLICY__LEDGR__ENABLED": "yes", "MEMANALYSIS_POLICY__ALERTS__CHANNELS": "[loging"}

    with pytest.raises(PolicyError) as caught:
        read_layers(path, environment=variables, arguments=["leak_detection.sensitivity=hi", "nothing"])

    assert {(problem.source, problem.key, problem.nearest) for problem in caught.value.problems} == {
        (str(path), "ledger.enabled", None),
        ("environment MEMANALYSIS_POLICY__LEDGR__ENABLED", "ledgr", "ledger"),
        ("environment MEMANALYSIS_POLICY__ALERTS__CHANNELS", "", None),
        ("argument leak_detection.sensitivity=hi", "leak_detection.sensitivity", "high"),
        ("argument", "", None),
        ("environment MEMANALYSIS_POLICY__ALERTS__CHANNELS", "alerts.channels", None),
    }


def test_what_cannot_be_read_in_the_file_is_one_error_also_below_a_variable(path: Path) -> None:
    path.write_text("ledger:\n  enabled: !!int\n", encoding="utf-8")

    with pytest.raises(PolicyError) as caught:
        read_layers(path, environment={"MEMANALYSIS_POLICY__ALERTS__CHANNELS": "[logging]"})

    assert [problem.found for problem in caught.value.problems] == ["the text '' as !!int"]
