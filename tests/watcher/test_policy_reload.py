"""A changed policy file is in force without a restart; a broken edit keeps the earlier one and is reported once."""

import os
from pathlib import Path

import pytest

from memanalysis.policy.policy_file import PolicyFile
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import make_live_run
from memanalysis.watcher.policy_runtime import PolicyRuntime

QUIET = "leak_detection: {enabled: false}\n"


def budget(size: str) -> str:
    return f"memory_budgets: {{services: {{api: {size}}}}}\n{QUIET}"


class Watched:
    """A run under a policy file, whose samples are a second apart."""

    def __init__(self, clock, path):
        self.events = []
        self.clock = clock
        file = PolicyFile(path, environment={})
        policy = file.read()
        self.live = make_live_run("api", policy)
        self.runtime = PolicyRuntime("api", policy, clock=clock, file=file)
        self.runtime.begin(self.record, self.live)

    def record(self, kind, *, level=None, message=None, data=None):
        self.events.append((kind, level, message, data))

    def sample(self, mb, *, times=1, limit_bytes=None):
        for _ in range(times):
            self.clock.go(1.0)
            sample = {"rss_bytes": int(mb * MIB), "traced_bytes": None, "limit_bytes": limit_bytes}
            sample["elapsed_s"] = self.clock.monotonic()
            self.live.add(sample)
            self.runtime.on_sample(sample, self.record)

    def of_kind(self, kind):
        return [(level, message, data) for name, level, message, data in self.events if name == kind]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(budget("100MB"), encoding="utf-8")
    return path


def test_a_changed_budget_is_in_force_at_the_second_check(hand_clock, path: Path) -> None:
    found = Watched(hand_clock, path)
    found.sample(50, times=3)
    path.write_text(budget("40MB"), encoding="utf-8")
    found.sample(50, times=3)

    assert [level for level, _, _ in found.of_kind("breach")] == ["emergency"]
    ((level, message, data),) = found.of_kind("policy")
    assert (level, message) == ("info", f"The policy file {path} has changed and is in force.")
    assert data["changes"] == {"memory_budgets.services.api.max_memory_mb": [100, 40]}
    assert found.live.judge().limit_bytes == 40 * MIB


def test_a_broken_edit_keeps_the_earlier_policy_and_is_said_once(hand_clock, path: Path, caplog) -> None:
    found = Watched(hand_clock, path)
    path.write_text(budget("1MB") + "alerts: {chanels: []}\nledger: 3\n", encoding="utf-8")
    found.sample(50, times=20)

    ((level, message, data),) = found.of_kind("policy")
    assert level == "warning"
    assert message.startswith("The policy file has changed and is broken, so the earlier policy stays in force: ")
    assert len(data["errors"]) == 2
    assert f"{path}:3: alerts.chanels" in data["errors"][0]
    assert [record.getMessage() for record in caplog.records] == [message]
    assert found.of_kind("breach") == []

    path.write_text(budget("60MB"), encoding="utf-8")
    found.sample(50, times=3)
    assert [level for level, _, _ in found.of_kind("policy")] == ["warning", "info"]
    assert [level for level, _, _ in found.of_kind("breach")] == ["warning"]


def test_a_file_that_is_replaced_is_not_met_half_way(hand_clock, path: Path) -> None:
    """It is gone at one check and back at the next."""
    found = Watched(hand_clock, path)
    path.unlink()
    found.sample(50)
    path.write_text(budget("200MB"), encoding="utf-8")
    found.sample(50, times=3)

    assert [level for level, _, _ in found.of_kind("policy")] == ["info"]


def test_a_file_that_is_gone_keeps_the_policy(hand_clock, path: Path) -> None:
    found = Watched(hand_clock, path)
    path.unlink()
    found.sample(99, times=9)

    ((level, message, _),) = found.of_kind("policy")
    assert (level, "no such file" in message) == ("warning", True)
    assert [level for level, _, _ in found.of_kind("breach")] == ["critical"]


def test_a_file_that_is_only_touched_is_no_event_of_another_policy(hand_clock, path: Path) -> None:
    found = Watched(hand_clock, path)
    os.utime(path, (1, 1))
    found.sample(50, times=3)

    assert [data["changes"] for _, _, data in found.of_kind("policy")] == [{}]


def test_cleanup_keeps_what_the_program_registered_and_follows_the_policy(hand_clock, path: Path) -> None:
    found = Watched(hand_clock, path)
    freed = []
    found.runtime.cleanup.register_resource("pool", lambda: freed.append(1))
    path.write_text(
        "memory_budgets: {services: {api: 40MB}}\n"
        "leak_detection: {enabled: false, auto_cleanup: {methods: [resource_cleanup]}}\n"
        "enforcement: {grace_period_seconds: 0}\n",
        encoding="utf-8",
    )
    found.sample(50, times=3)

    assert freed == [1]
    assert [list(data) for _, _, data in found.of_kind("cleanup")] == [["resource_cleanup"]]


def test_a_share_follows_a_limit_that_changes_while_the_program_runs(hand_clock, path: Path) -> None:
    path.write_text(budget("'50% of limit'"), encoding="utf-8")
    found = Watched(hand_clock, path)
    found.sample(50, times=3, limit_bytes=400 * MIB)
    assert found.of_kind("breach") == []

    found.sample(50, limit_bytes=110 * MIB)
    assert [level for level, _, _ in found.of_kind("breach")] == ["warning"]


@pytest.mark.slow
def test_a_watched_process_takes_up_a_new_budget(record, ledger, path: Path, wait_until) -> None:
    path.write_text(budget("8000GB"), encoding="utf-8")
    with record(policy=path):
        path.write_text(budget("1MB"), encoding="utf-8")
        wait_until(lambda: "breach" in ledger().events["kind"].tolist())

    assert ledger().events["kind"].tolist().count("policy") == 1
