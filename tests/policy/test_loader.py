"""Which policy holds: the file, or the packaged default, and never the one in place of the other."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.errors import PolicyError
from memanalysis.policy.loader import read_default_policy, read_policy
from memanalysis.policy.model import MemoryBudget, parse_policy

POLICY = "memory_budgets:\n  services:\n    messaging: 7MB\n"


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def test_config_is_the_plain_mapping_of_the_file(policy_file: Path) -> None:
    loader = MemoryPolicyLoader(str(policy_file))

    assert loader.load() == loader.config == {"memory_budgets": {"services": {"messaging": "7MB"}}}
    assert parse_policy(loader.config) == loader.policy == read_policy(policy_file)


def test_the_first_question_loads_the_file(policy_file: Path) -> None:
    assert MemoryPolicyLoader(policy_file).get_budget("messaging") == MemoryBudget(7, 80, 95)


def test_a_service_that_is_not_named_has_the_global_budget(policy_file: Path) -> None:
    assert MemoryPolicyLoader(policy_file).get_budget("nobody") == MemoryBudget(512, 80, 95)


def test_without_a_file_the_packaged_policy_holds_and_one_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "none.yaml"
    loader = MemoryPolicyLoader(path)
    with caplog.at_level(logging.WARNING):
        loader.load()
        budget = loader.get_budget("agent_workspace")

    assert loader.policy == read_default_policy()
    assert budget == MemoryBudget(50, 70, 85)
    assert [record.getMessage() for record in caplog.records] == [
        f"No policy file at {path}: using the default policy that comes with memanalysis."
    ]


def test_a_broken_file_is_never_replaced_by_the_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("memory_budgets: {globl: {}}", encoding="utf-8")
    loader = MemoryPolicyLoader(path)

    for _ in range(2):
        with pytest.raises(PolicyError, match=r"The nearest known key is 'global'\."):
            loader.get_budget("messaging")
    assert not caplog.records


def test_what_was_read_stays_in_use_when_the_file_becomes_broken(policy_file: Path) -> None:
    loader = MemoryPolicyLoader(policy_file)
    loader.load()
    policy_file.write_text("memory_budgets: 3", encoding="utf-8")

    with pytest.raises(PolicyError):
        loader.load()

    assert loader.get_budget("messaging").max_memory_mb == 7


def test_loading_again_reads_the_file_again(policy_file: Path) -> None:
    loader = MemoryPolicyLoader(policy_file)
    loader.load()
    policy_file.write_text(POLICY.replace("7MB", "8MB"), encoding="utf-8")
    before = loader.get_budget("messaging").max_memory_mb
    loader.load()

    assert (before, loader.get_budget("messaging").max_memory_mb) == (7, 8)


def test_what_a_caller_does_to_the_mapping_does_not_touch_the_policy(policy_file: Path) -> None:
    loader = MemoryPolicyLoader(policy_file)
    loader.load()["memory_budgets"]["services"].clear()

    assert loader.get_budget("messaging").max_memory_mb == 7


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + POLICY.encode())

    assert read_policy(path).budget_for("messaging").max_memory_mb == 7


def test_yaml_is_imported_when_a_policy_is_read_and_not_before() -> None:
    program = """
import sys
from memanalysis.policy import enforcer, loader, model
model.parse_policy({"ledger": {"enabled": False}})
enforcer.check_budget(model.parse_policy({}), "api", 85.0)
assert "yaml" not in sys.modules
loader.read_default_policy()
assert "yaml" in sys.modules
assert not {"numpy", "pandas", "pyarrow", "psutil"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
